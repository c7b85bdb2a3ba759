// One listener for the page: what is clicked or chosen by key is written into a hidden text box, which Gradio watches.
(() => {
  "use strict";
  let count = 0;
  let clicked = false; // evidence was asked for by hand: only then may a narrow page move to the panel

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

  function act(event) {
    const found = event.target.closest?.("[data-evidence], [data-open], [data-ask]");
    if (!found) return false;
    const { evidence, open, ask } = found.dataset;
    if (evidence !== undefined) {
      clicked = true;
      const cut = evidence.lastIndexOf(":");
      tell({ kind: "evidence", turn: evidence.slice(0, cut), evidence: evidence.slice(cut + 1) });
      document.querySelectorAll(".chip.current").forEach((chip) => chip.classList.remove("current"));
      if (found.classList.contains("chip")) found.classList.add("current");
    } else if (open !== undefined) {
      tell({ kind: "open", conversation: open });
    } else {
      write("#question", ask);
      setTimeout(() => document.querySelector("#send")?.click(), 60);
    }
    return true;
  }

  document.addEventListener("click", act);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button || !navigator.clipboard) return;
    navigator.clipboard.writeText(button.dataset.copy).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy citation"; }, 1500);
    });
  });
  document.addEventListener("keydown", (event) => {
    const onRow = event.target.matches?.("tr[data-evidence]");
    if (onRow && (event.key === "Enter" || event.key === " ") && act(event)) event.preventDefault();
  });

  // Keep the newest turn in view, its question at the top once it is answered, and bring the selected evidence into view.
  function follow() {
    const chat = document.querySelector("#chat");
    if (chat) {
      let last = 0;
      new MutationObserver(() => {
        if (chat.scrollHeight > last) {
          const running = chat.querySelector("#live .turn");
          const turns = chat.querySelectorAll("#history .turn");
          if (!running && turns.length) turns[turns.length - 1].scrollIntoView({ block: "start" });
          else chat.scrollTo({ top: chat.scrollHeight });
        }
        last = chat.scrollHeight;
      }).observe(chat, { childList: true, subtree: true, characterData: true });
    }
    const panel = document.querySelector("#panel");
    if (panel) {
      new MutationObserver(() => {
        const shown = panel.querySelector("article.selected, tr.selected");
        if (shown && shown.offsetParent) shown.scrollIntoView({ block: "nearest" });
        if (shown && clicked && window.innerWidth < 1000) panel.scrollIntoView({ block: "start" });
        if (shown) clicked = false;
      }).observe(panel, { childList: true, subtree: true });
    }
    return Boolean(chat && panel);
  }
  const waiting = new MutationObserver(() => { if (follow()) waiting.disconnect(); });
  waiting.observe(document.documentElement, { childList: true, subtree: true });
})();
