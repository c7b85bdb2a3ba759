// What Gradio must be told of: a conversation that was opened, a suggested question. What a click on evidence shows is the
// business of viewer/static/desk.js.
(() => {
  "use strict";
  let count = 0;

  function write(selector, words) {
    const box = document.querySelector(`${selector} textarea, ${selector} input`);
    if (!box) return;
    const kind = box.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(box, words);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function tell(message) {
    count += 1;
    write("#action", JSON.stringify({ ...message, count }));
  }

  function ask(question) {
    write("#question", question);
    setTimeout(() => document.querySelector("#send")?.click(), 60);
  }

  // A question about the sample case: load the case, and ask when it is there.
  function askOfSample(button) {
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    const load = document.querySelector("#sample");
    const question = button.dataset.sample;
    let left = 600;
    let asked = false;
    const wait = setInterval(() => {
      left -= 1;
      if (!asked && !load.disabled) {
        asked = true;
        load.click();
      }
      if (document.querySelector(".attached code") || !left) {
        clearInterval(wait);
        if (left) setTimeout(() => ask(question), 100);
      }
    }, 200);
  }

  document.addEventListener("click", (event) => {
    const sample = event.target.closest?.("[data-sample]");
    if (sample) askOfSample(sample);
    const found = event.target.closest?.("[data-open], [data-ask]");
    if (!found) return;
    const { open } = found.dataset;
    if (open !== undefined) tell({ kind: "open", conversation: open });
    else ask(found.dataset.ask);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button || !navigator.clipboard) return;
    navigator.clipboard.writeText(button.dataset.copy).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy citation"; }, 1500);
    });
  });

  // Files that come before the page has its session would be nobody's: they are held until it has, and then given again.
  function held(event) {
    const place = event.target.closest?.("#drop");
    const send = document.querySelector("#send");
    if (!place || !send?.disabled) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    const files = new DataTransfer();
    for (const file of event.dataTransfer?.files ?? []) files.items.add(file);
    const again = () => (event.type === "drop" ? new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: files })
      : new Event("change", { bubbles: true }));
    const wait = setInterval(() => {
      if (document.querySelector("#send")?.disabled) return;
      clearInterval(wait);
      event.target.dispatchEvent(again());
    }, 50);
  }
  document.addEventListener("change", held, true);
  document.addEventListener("drop", held, true);

  // Keep the newest turn in view, its question at the top once it is answered.
  function follow() {
    const chat = document.querySelector("#chat");
    if (!chat) return false;
    let last = 0;
    new MutationObserver(() => {
      if (chat.scrollHeight > last) {
        const running = chat.querySelector("#live .turn");
        const turns = chat.querySelectorAll("#history .turn");
        if (!running && turns.length) turns[turns.length - 1].scrollIntoView({ block: "start" });
        else if (running || turns.length) chat.scrollTo({ top: chat.scrollHeight });
      }
      last = chat.scrollHeight;
    }).observe(chat, { childList: true, subtree: true, characterData: true });
    return true;
  }
  const waiting = new MutationObserver(() => { if (follow()) waiting.disconnect(); });
  waiting.observe(document.documentElement, { childList: true, subtree: true });
})();
