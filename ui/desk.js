// The desk's own clicks: conversation and answer tools, their dialogs, downloads, theme. Told to Gradio through #desk-action.
(() => {
  "use strict";
  let count = 0;

  function tell(message, where = "#desk-action") {
    count += 1;
    const box = document.querySelector(`${where} textarea, ${where} input`);
    if (!box) return;
    const kind = box.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
    const told = { ...message, language: window.consilium.language(), count };
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(box, JSON.stringify(told));
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function make(tag, properties = {}, ...children) {
    const { dataset = {}, ...rest } = properties;
    const made = Object.assign(document.createElement(tag), rest);
    Object.assign(made.dataset, dataset);
    made.append(...children);
    return made;
  }

  // A dialog with a form; `done` is told its fields when it is sent. Escape and Cancel close it.
  function ask(title, fields, send, done) {
    const from = document.activeElement;
    const cancel = make("button", { type: "button", textContent: "Cancel" });
    const ok = make("button", { type: "submit", className: "strong", textContent: send });
    const form = make("form", { method: "dialog" }, make("h2", { textContent: title, id: "dialog-title" }), ...fields, make("div", { className: "row" }, cancel, ok));
    const dialog = make("dialog", { className: "desk" }, form);
    dialog.setAttribute("aria-labelledby", "dialog-title");
    cancel.addEventListener("click", () => dialog.close());
    form.addEventListener("submit", () => done(Object.fromEntries(new FormData(form))));
    dialog.addEventListener("close", () => { dialog.remove(); from?.focus?.(); });
    document.body.append(dialog);
    dialog.showModal();
  }

  const labelled = (label, field) => make("label", {}, make("span", { textContent: label }), field);
  const REASONS = ["Wrong", "Not supported by its source", "Missed something", "Unclear", "Could harm", "Something else"];
  const FORMATS = [["pdf", "PDF"], ["docx", "Word (DOCX)"], ["html", "HTML, one file"], ["md", "Markdown"], ["zip", "Replay bundle of the newest answer"]];

  function choices(name, options) {
    return make("fieldset", {}, ...options.map(([value, label], place) => make("label", { className: "choice" },
      make("input", { type: "radio", name, value, checked: place === 0 }), make("span", { textContent: label }))));
  }

  const TOOLS = {
    rename() {
      const now = document.querySelector(".conversations [aria-current] span")?.textContent || "";
      ask("Rename this conversation", [labelled("Title", make("input", { name: "text", value: now, maxLength: 120, required: true, dir: "auto" }))], "Rename",
        ({ text }) => tell({ kind: "rename", text }));
    },
    export(turn) {
      const options = turn ? FORMATS.map(([value, label]) => [value, value === "zip" ? "Replay bundle" : label]) : FORMATS;
      ask(turn ? "Export this answer" : "Export this conversation", [choices("format", options),
        make("p", { className: "quiet", textContent: "The file may hold patient data. It is made on this machine and kept nowhere." })], "Export",
        ({ format }) => tell({ kind: "export", format, turn }));
    },
    branch(turn) { tell({ kind: "branch", turn }); },
    edit(turn, from) {
      const question = from.closest(".turn")?.querySelector(".question .asked")?.textContent || "";
      ask("Edit the question and ask again", [labelled("Question", make("textarea", { name: "text", value: question, rows: 4, maxLength: 8000, required: true, dir: "auto" })),
        make("p", { className: "quiet", textContent: "A new conversation goes on from here; this one stays as it is." })], "Ask again",
        ({ text }) => tell({ kind: "edit", turn, text }));
    },
    helpful(turn) { tell({ kind: "feedback", turn, opinion: "helpful" }); },
    unhelpful(turn) {
      ask("What is wrong with this answer?", [choices("why", REASONS.map((reason) => [reason, reason])),
        labelled("In your words", make("textarea", { name: "text", rows: 3, maxLength: 1800, dir: "auto" }))], "Send",
        ({ why, text }) => tell({ kind: "feedback", turn, opinion: "not_helpful", text: text ? `${why}: ${text}` : why }));
    },
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-tool]");
    if (!button) return;
    TOOLS[button.dataset.tool]?.(button.dataset.turn || "", button);
  });

  // The library's clicks carry their own message; what removes something asks first.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-library]");
    if (!button) return;
    const send = () => tell(JSON.parse(button.dataset.library), "#library-action");
    if (button.dataset.confirm) ask(button.dataset.confirm, [], "Remove", send); else send();
  });

  // A finished export: its address comes into #download, and is fetched once.
  new MutationObserver(() => {
    const link = document.querySelector("#download a[download]:not([data-taken])");
    if (!link) return;
    link.dataset.taken = "1";
    link.click();
  }).observe(document.documentElement, { childList: true, subtree: true });

  // Theme: as the system has it, or as chosen; it lives in the browser.
  function theme(wanted) {
    const dark = wanted === "dark" || (wanted !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.body?.classList.toggle("dark", dark);
  }
  const kept = () => localStorage.getItem("consilium-theme") || "system";
  document.addEventListener("change", (event) => {
    if (!event.target.matches?.("select[data-theme]")) return;
    localStorage.setItem("consilium-theme", event.target.value);
    theme(event.target.value);
  });
  new MutationObserver(() => {
    document.querySelectorAll("select[data-theme]:not([data-set])").forEach((box) => { box.dataset.set = "1"; box.value = kept(); });
    if (document.body && kept() !== "system" && document.body.classList.contains("dark") !== (kept() === "dark")) theme(kept());
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
})();
