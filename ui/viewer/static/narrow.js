// On a narrow screen one part of the page is seen at a time; a bar at the bottom changes between them.
import { make, say } from "./dom.js";

const VIEWS = [["side", "Files"], ["middle", "Chat"], ["panel", "Evidence"]];
const narrow = matchMedia("(max-width: 1000px)");

export function view(name) {
  document.body.dataset.view = name;
  for (const button of document.querySelectorAll("#views button")) {
    if (button.dataset.view === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  if (narrow.matches && name === "panel") document.querySelector("#panel")?.scrollTo({ top: 0 });
  dispatchEvent(new Event("resize")); // what was hidden has a size now
}

export function becomeNarrow() {
  const bar = make("nav", { id: "views", "aria-label": say("Parts of the page") }, ...VIEWS.map(([name, words]) => make("button", {
    type: "button", data: { view: name }, on: { click: () => view(name) } }, say(words))));
  document.body.append(bar);
  view("middle");
}
