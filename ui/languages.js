// The page in another language: English words of the interface are replaced by the catalogue's as they appear.
// What people, sources and records say is left alone (CONTENT), but for the marks we put into it (CHROME).
(() => {
  "use strict";
  const CATALOGUE = /*CATALOGUE*/{};
  const CODES = ["en", "ar", "zh"];
  const RTL = new Set(["ar"]);
  const CONTENT = ".question, .sentence, .draft, .cite, .words-of-source, blockquote, pre, code, script, style, textarea, [data-content], .conversations button span:first-child";
  const CHROME = ".verdict > :not(.why), .verdict, [data-chrome]";
  const ATTRIBUTES = ["placeholder", "title", "aria-label", "alt"];
  const MENDED = { "common.upload": "Click to upload or drop files" }; // a name of Gradio's that its own catalogue lacks
  const said = new WeakMap(); // node -> {english, shown}, per attribute under its name

  // Gradio's own words come in the browser's language; they too go through the catalogue, from English.
  const browser = [...(navigator.languages || [navigator.language])];
  try {
    Object.defineProperty(navigator, "language", { get: () => "en", configurable: true });
    Object.defineProperty(navigator, "languages", { get: () => ["en"], configurable: true });
  } catch { /* a browser that forbids it shows Gradio's few own words in its language */ }

  const exact = { ar: new Map(), zh: new Map() };
  const patterns = { ar: [], zh: [] };
  for (const [english, told] of Object.entries(CATALOGUE)) {
    for (const code of ["ar", "zh"]) {
      if (!/\{\d\}/.test(english)) { exact[code].set(english, told[code]); continue; }
      const escaped = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\d\}/g, "(.+?)");
      const order = [...english.matchAll(/\{(\d)\}/g)].map((found) => Number(found[1]));
      patterns[code].push([new RegExp(`^${escaped}$`, "s"), told[code], order]);
    }
  }

  function chosen() {
    const kept = sessionStorage.getItem("consilium-language");
    if (CODES.includes(kept)) return kept;
    for (const wanted of browser) {
      const code = String(wanted).toLowerCase().split("-")[0];
      if (CODES.includes(code)) return code;
    }
    return "en";
  }
  let language = chosen();

  function translated(english) {
    if (language === "en") return english;
    const known = exact[language].get(english);
    if (known !== undefined) return known;
    if (english.length > 400) return english;
    for (const [pattern, told, order] of patterns[language]) {
      const found = english.match(pattern);
      if (!found) continue;
      let out = told;
      order.forEach((place, at) => { out = out.replaceAll(`{${place}}`, exact[language].get(found[at + 1]) ?? found[at + 1]); });
      return out;
    }
    return english;
  }

  function isContent(element) {
    const nearest = element?.closest?.(`${CONTENT}, ${CHROME}`);
    return Boolean(nearest) && !nearest.matches(CHROME);
  }

  function text(node) {
    const before = said.get(node);
    const english = before && node.data === before.shown ? before.english : node.data;
    const core = english.trim();
    if (!core || isContent(node.parentElement)) return;
    const shown = english.replace(core, () => translated(core.replace(/\s+/g, " ")));
    said.set(node, { english, shown });
    if (node.data !== shown) node.data = shown;
  }

  function attributes(element) {
    const before = said.get(element) || {};
    for (const name of ATTRIBUTES) {
      const value = element.getAttribute(name);
      if (value === null || (isContent(element) && name !== "placeholder" && name !== "aria-label")) continue;
      const english = before[name] && before[name].shown === value ? before[name].english : MENDED[value] ?? value;
      const shown = translated(english);
      before[name] = { english, shown };
      if (value !== shown) element.setAttribute(name, shown);
    }
    said.set(element, before);
  }

  function walk(root) {
    if (root.nodeType === Node.TEXT_NODE) { text(root); return; }
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    attributes(root);
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) text(node); else attributes(node);
    }
    root.querySelectorAll?.("select[data-language]").forEach((box) => { box.value = language; });
  }

  function direct() {
    const root = document.documentElement, code = { zh: "zh-CN" }[language] || language, way = RTL.has(language) ? "rtl" : "ltr";
    if (root.lang !== code) root.lang = code;
    if (root.dir !== way) root.dir = way;
  }

  function use(code) {
    language = CODES.includes(code) ? code : "en";
    sessionStorage.setItem("consilium-language", language);
    direct();
    if (document.body) walk(document.body);
    document.dispatchEvent(new CustomEvent("consilium-language", { detail: language }));
  }

  window.consilium = Object.assign(window.consilium || {}, { language: () => language, use, translated });
  direct();
  // Mutations are told before the next frame is drawn, so nothing flashes in English.
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "characterData") text(change.target);
      else if (change.type === "attributes") attributes(change.target);
      else change.addedNodes.forEach(walk);
    }
  }).observe(document.documentElement, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
  // Gradio names its own language there once it has loaded.
  new MutationObserver(direct).observe(document.documentElement, { attributes: true, attributeFilter: ["lang", "dir"] });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("select[data-language]")) use(event.target.value);
  });
})();
