// Questions that go on in the background: the list says which conversation is busy, a toast says when one is done.
import { make, say } from "./dom.js";

const EVERY_MS = 2000;
let timer = 0;
let running = new Map();

export function toast(words, action) {
  let host = document.querySelector("#toasts");
  if (!host) {
    host = make("div", { id: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(host);
  }
  const close = () => box.remove();
  const box = make("div", { className: "toast" }, make("span", {}, words),
    action ? make("button", { type: "button", on: { click: () => { action.act(); close(); } } }, action.words) : null,
    make("button", { type: "button", className: "close", "aria-label": say("Close"), on: { click: close } }, "×"));
  host.append(box);
  setTimeout(close, 12000);
}

export function watchJobs(address, conversation) {
  if (timer) return;
  const look = async () => {
    let rows;
    try {
      const answer = await fetch(address());
      if (!answer.ok) throw new Error(answer.statusText);
      rows = await answer.json();
    } catch {
      timer = 0; // the server is away; the next change of the page begins again
      return;
    }
    const before = running;
    running = new Map(rows.filter((row) => row.running).map((row) => [row.conversation, row]));
    for (const button of document.querySelectorAll("[data-open]")) button.classList.toggle("busy", running.has(button.dataset.open));
    for (const [name, row] of before) {
      if (running.has(name)) continue;
      const words = row.question.length > 70 ? `${row.question.slice(0, 70)}…` : row.question;
      if (name !== conversation()) {
        toast(`${say("Answered:")} ${words}`, { words: say("Open"), act: () => document.querySelector(`[data-open="${CSS.escape(name)}"]`)?.click() });
      } else if (document.hidden) toast(`${say("Answered:")} ${words}`);
      if (document.hidden) document.title = `✓ ${document.title.replace(/^✓ /, "")}`;
    }
    timer = running.size ? setTimeout(look, EVERY_MS) : 0;
  };
  timer = setTimeout(look, 200);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.title = document.title.replace(/^✓ /, "");
});
