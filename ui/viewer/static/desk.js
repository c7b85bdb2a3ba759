// The panel that follows the sentence: a click on a sentence, a citation, a row, a step or a figure shows what is behind
// it. Evidence is fetched once a turn, so that a click shows it without asking anyone.
import { make, say } from "./dom.js";
import { FilmViewer } from "./film.js";
import { VolumeViewer } from "./viewer.js";
import { watchJobs } from "./jobs.js";
import { showPage } from "./page.js";
import { becomeNarrow, view } from "./narrow.js";

const VERDICTS = {
  supported: "Supported by what it cites", partly: "Partly supported", not_supported: "Not supported",
  contradicted: "Contradicted by what it cites", no_evidence_needed: "States nothing that needs evidence",
};
const now = { conversation: "", key: "", state: "", turn: "" };
const turns = new Map();
const viewers = {};
let scene = null;
let shown = null; // {turn, evidence, sentence}

const $ = (selector, root = document) => root.querySelector(selector);
const address = (...parts) => `/desk/${[now.key, ...parts.map(encodeURIComponent)].join("/")}`;

async function fetched(...parts) {
  const answer = await fetch(address(...parts), { credentials: "same-origin" });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? `HTTP ${answer.status}`);
  return answer;
}

function evidenceOf(turn) {
  if (!turns.has(turn)) {
    const loading = fetched("evidence", turn).then((answer) => answer.json());
    loading.catch(() => turns.get(turn) === loading && turns.delete(turn));
    turns.set(turn, loading);
  }
  return turns.get(turn);
}

// What the tabs show of a turn; put into them again whenever Gradio has made one. A turn that was looked at while it ran
// is another thing once it has ended, so what was put in is told by the evidence itself and not by the turn's name.
let told = null; // {sources, steps, findings} as fetched
const filled = new WeakMap(); // host to what stands in it

function refill() {
  for (const part of ["sources", "steps", "findings"]) {
    const host = part === "findings" ? viewers.findings : $(`#${part}`);
    if (!host || !told || filled.get(host) === told) continue;
    filled.set(host, told);
    if (told[part] === undefined) host.replaceChildren(empty(part));
    else host.innerHTML = told[part]; // made and escaped by ui/panel.py
  }
}

async function appears(selector) {
  for (let frames = 0; frames < 30; frames += 1) {
    const found = $(selector);
    if (found) return found;
    await new Promise(requestAnimationFrame);
    refill();
  }
  return null;
}

function openTab(name) {
  const tab = $(`#tab-${name}-button`) ?? [...document.querySelectorAll('#panel [role="tab"]')].find(
    (button) => button.textContent.trim().toLowerCase() === name);
  if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
}

// Every citation of the page in reading order, as arrow keys walk them.
function walk() {
  return [...document.querySelectorAll("#history .chip[data-evidence]")];
}

function split(value) {
  const cut = value.lastIndexOf(":");
  return [value.slice(0, cut), value.slice(cut + 1)];
}

async function showEvidence(turn, id, from, asked = true) {
  const started = performance.now();
  let data;
  try {
    data = await evidenceOf(turn);
  } catch (error) {
    return strip([make("p", { className: "notice error", role: "alert" }, error.message)]);
  }
  const item = data.evidence.find((each) => each.id === id);
  if (!item) return strip([make("p", { className: "notice warning" }, say("That evidence is not in this conversation any more."))]);
  const sentence = from?.closest?.("[data-sentence]");
  const said = sentence ? data.sentences[Number(split(sentence.dataset.sentence)[1])] : data.sentences.find((each) => each.evidence.includes(id));
  shown = { turn, id };
  mark(turn, id, from);
  strip(head(item, from), said && claim(said), detail(item, said));
  openTab(item.tab);
  fillAll(data);
  if (asked) view("panel"); // before anything is scrolled to: on a narrow screen it was not drawn until now
  if (item.tab === "sources") await select(`#sources #evidence-${CSS.escape(id)}`, item, turn);
  if (item.tab === "images") await showFinding(item);
  document.dispatchEvent(new CustomEvent("consilium:evidence", { detail: { turn, ...item } }));
  if (item.tab === "record") markRow(id);
  performance.measure("consilium:evidence", { start: started });
  return undefined;
}

function fillAll(data) {
  told = data;
  images();
  refill();
  for (const row of viewers.findings.querySelectorAll("li")) {
    row.classList.toggle("selected", Boolean(shown && $(`[data-evidence$=":${CSS.escape(shown.id)}"]`, row)));
  }
  viewers.volume.setLosses(data.losses);
}

function fillNone() {
  told = {};
  images();
  refill();
}

function mark(turn, id, from) {
  for (const old of document.querySelectorAll(".chip.current, .sentence.current, tr.current")) {
    old.classList.remove("current");
    old.removeAttribute("aria-current");
  }
  const chip = from?.matches?.(".chip") ? from : walk().find((each) => each.dataset.evidence === `${turn}:${id}`);
  const marked = [chip, (from ?? chip)?.closest?.("[data-sentence]"), from?.closest?.("tr")].filter(Boolean);
  for (const each of marked) each.classList.add("current");
  chip?.setAttribute("aria-current", "true");
}

async function select(selector, item, turn) {
  const card = await appears(selector);
  for (const old of document.querySelectorAll("#sources .card.selected")) old.classList.remove("selected");
  if (!card) return;
  card.classList.add("selected");
  if (item.page) showPage(card, (what) => address("page", turn, item.id, what));
  ($("mark", card) ?? card).scrollIntoView({ block: "nearest" });
  if (card.offsetHeight < 500) card.scrollIntoView({ block: "nearest" });
}

function markRow(id) {
  for (const row of document.querySelectorAll("#record tr.selected")) row.classList.remove("selected");
  const row = $(`#record #evidence-${CSS.escape(id)}`);
  row?.classList.add("selected");
  row?.scrollIntoView({ block: "nearest" });
}

function strip(...parts) {
  const host = $("#strip");
  if (host) host.replaceChildren(...parts.flat().filter(Boolean));
}

function head(item, from) {
  const all = walk();
  const chip = from?.matches?.(".chip") ? from : $(".chip.current");
  const place = chip ? all.indexOf(chip) : -1;
  const step = (by, words, sign) => make("button", { type: "button", className: "step-button", "aria-label": say(words),
    disabled: !all[place + by], on: { click: () => walkBy(by) } }, sign);
  return make("div", { className: "strip-head" },
    make("span", { className: "number" }, item.id), make("strong", { className: "strip-label" }, item.label),
    place >= 0 ? make("span", { className: "walk", role: "group", "aria-label": say("Citations") },
      step(-1, "Previous citation", "‹"), make("span", { className: "quiet" }, `${place + 1} / ${all.length}`), step(1, "Next citation", "›")) : null);
}

function claim(said) {
  const doubtful = !["supported", "no_evidence_needed"].includes(said.verdict);
  return make("div", { className: `claim ${said.verdict}` },
    make("p", { className: "claim-text" }, said.text),
    make("p", { className: `verdict-line ${doubtful ? "bad" : "good"}` }, say(VERDICTS[said.verdict] ?? said.verdict),
      said.why ? make("span", { className: "why" }, `: ${said.why}`) : null));
}

// What has its own place in a tab is not said twice; the rest stands under the sentence.
function detail(item, said) {
  if (item.tab === "sources") return null;
  const host = make("div", { className: "detail" });
  host.innerHTML = item.html; // made and escaped by ui/panel.py
  const statement = $(".card p", host);
  if (statement && said && bare(said.text).includes(bare(statement.textContent))) statement.remove();
  return host;
}

const bare = (words) => words.replace(/\[[\d,\s]+\]/g, "").replace(/[\s.]+/g, " ").trim();

function walkBy(by) {
  const all = walk(), next = all[all.indexOf($(".chip.current")) + by];
  if (!next) return;
  const inPanel = $("#strip")?.contains(document.activeElement);
  const label = document.activeElement?.getAttribute("aria-label");
  if (!inPanel) next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  const [turn, id] = split(next.dataset.evidence);
  showEvidence(turn, id, next, false).then(() => {
    if (inPanel) ([...document.querySelectorAll("#strip button")].find((each) => each.getAttribute("aria-label") === label && !each.disabled)
      ?? $("#strip button:not(:disabled)"))?.focus();
  });
}

async function showSentence(element) {
  const chip = $(".chip[data-evidence]", element);
  if (chip) return showEvidence(...split(chip.dataset.evidence), chip);
  const [turn, place] = split(element.dataset.sentence);
  const data = await evidenceOf(turn);
  const said = data.sentences[Number(place)];
  mark(turn, "", element);
  fillAll(data);
  const plain = said.verdict === "no_evidence_needed";
  strip(make("div", { className: "strip-head" }, make("strong", { className: "strip-label" }, say(plain ? "No evidence needed" : "Nothing stands behind this sentence"))),
    claim(said), plain ? null : make("p", { className: "quiet" }, say("It cites nothing that was found in this turn. Do not rely on it.")));
  return view("panel");
}

async function showStep(turn, call) {
  const data = await evidenceOf(turn);
  fillAll(data);
  openTab("steps");
  const card = await appears(`#steps #step-${CSS.escape(call)}`);
  for (const old of document.querySelectorAll("#steps .selected")) old.classList.remove("selected");
  card?.classList.add("selected");
  card?.scrollIntoView({ block: "nearest" });
  strip(make("div", { className: "strip-head" }, make("strong", { className: "strip-label" }, say("A step of this answer"))));
  view("panel");
}

// ---- images

// Gradio makes a tab when it is first opened, and perhaps anew later; the viewers are made once and moved into it.
function images() {
  if (!viewers.volume) {
    viewers.volume = new VolumeViewer({
      voxels: loadVoxels,
      sliceAddress: (handle, look) => `${address("slice", handle)}?${new URLSearchParams(Object.entries(look).filter(([, value]) => value !== ""))}`,
      imageOf: (handle) => scene.images.find((image) => image.handle === handle),
    });
    viewers.film = new FilmViewer();
    viewers.choice = make("select", { id: "view-image", on: { change: () => look(viewers.choice.value) } });
    viewers.body = make("div", {}, noImage());
    viewers.findings = make("div", { id: "findings" });
    viewers.all = make("div", {}, make("label", { className: "control wide" }, make("span", {}, say("Image")), viewers.choice),
      viewers.body, viewers.findings);
    window.consiliumViewer = viewers;
  }
  const host = $("#images");
  if (host && host.firstChild !== viewers.all) host.replaceChildren(viewers.all);
}

function noImage() {
  return make("p", { className: "quiet" }, say("No image. Attach a scan or an X-ray, or load the sample case, to look at it here."));
}

async function loadVoxels(handle, told) {
  const answer = await fetched("voxels", handle);
  const length = Number(answer.headers.get("content-length")) || 0;
  if (!length || !answer.body) return answer.arrayBuffer();
  const bytes = new Uint8Array(length), reader = answer.body.getReader();
  let at = 0, last = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return bytes.buffer;
    bytes.set(value, at);
    at += value.length;
    if (at - last > length / 20) told(at / length);
    if (at - last > length / 20) last = at;
  }
}

async function loadScene(first = true) {
  scene = await (await fetched("scene")).json();
  images();
  const options = scene.images.map((image) => make("option", { value: image.handle }, `${image.handle}: ${image.title}`));
  const before = viewers.choice.value;
  viewers.choice.replaceChildren(...options);
  viewers.choice.disabled = !options.length;
  if (!options.length) {
    viewers.body.replaceChildren(noImage());
    return;
  }
  if (scene.images.some((image) => image.handle === before)) viewers.choice.value = before;
  if (first) await look(viewers.choice.value);
}

async function look(handle, where = {}) {
  const image = scene?.images.find((each) => each.handle === handle);
  if (!image) return;
  images();
  viewers.choice.value = handle;
  const viewer = image.flat ? viewers.film : viewers.volume;
  if (viewers.body.firstChild !== viewer.root) viewers.body.replaceChildren(viewer.root);
  try {
    if (image.flat) await viewer.show(image, address("file", handle));
    else await viewer.show(image, scene.windows, where);
  } catch (error) {
    viewers.body.replaceChildren(make("p", { className: "notice error", role: "alert" }, `${handle}: ${error.message}`));
  }
}

async function showFinding(item) {
  if (!scene || !scene.images.some((image) => image.handle === item.location.artifact)) await loadScene(false);
  const { artifact, plane, index, overlay } = item.location;
  await look(artifact, { plane, index, where: item.where, ...(overlay ? { overlay } : {}) });
}

// ---- what Gradio shows now

async function changed() {
  const mark = $("#shown [data-shown]");
  if (!mark) return;
  const { shown: conversation, key, state, turn } = mark.dataset;
  const other = conversation !== now.conversation;
  if (!other && state === now.state && key === now.key) return;
  const files = state.split(".")[1] !== now.state.split(".")[1];
  if (other) turns.clear();
  else turns.delete(turn); // a turn that was running has ended
  Object.assign(now, { conversation, key, state, turn });
  if (key) now.any = key; // opens the owner's jobs, also while no conversation is shown
  if (other) {
    scene = null;
    viewers.volume?.volumes.clear();
    if (viewers.volume) viewers.volume.image = null;
    if (viewers.film) viewers.film.image = null;
    strip();
  }
  if (!conversation || !key) {
    fillNone();
    viewers.body.replaceChildren(noImage());
    viewers.choice.replaceChildren();
    if (conversation && !key) strip(make("p", { className: "notice warning" }, say("This browser keeps no cookies for this page, so evidence cannot be shown.")));
    return;
  }
  const data = turn ? await evidenceOf(turn).catch(() => null) : null;
  if (now.state !== state || now.conversation !== conversation) return;
  const first = data?.sentences.flatMap((said) => said.evidence)[0];
  const placed = Boolean(data?.evidence.find((item) => item.id === first)?.location);
  if (other || files) await loadScene(!placed).catch(() => {});
  if (data) {
    shown = null;
    if (first && now.state === state && now.conversation === conversation) await showEvidence(turn, first, null, false);
    else {
      fillAll(data);
      strip();
    }
  } else fillNone();
}

function empty(part) {
  if (part === "findings") return "";
  return make("p", { className: "quiet" }, say(part === "sources"
    ? "No passages. Answers from the literature show their sources here." : "No tool calls yet."));
}

function act(event) {
  if (getSelection()?.toString() && event.type === "click") return false; // words are being copied, not followed
  const found = event.target.closest?.("[data-evidence], [data-step], [data-image], [data-sentence]");
  if (!found || event.target.closest("a, summary")) return false;
  const { evidence, step, image, sentence } = found.dataset;
  if (evidence !== undefined) showEvidence(...split(evidence), found);
  else if (step !== undefined) showStep(...split(step));
  else if (image !== undefined) {
    openTab("images");
    look(image);
    view("panel");
  } else if (sentence !== undefined) showSentence(found);
  return true;
}

document.addEventListener("click", act);
document.addEventListener("keydown", (event) => {
  const on = event.target;
  if ((event.key === "Enter" || event.key === " ") && on.matches?.("tr[data-evidence], .sentence[data-sentence]")) {
    if (act(event)) event.preventDefault();
  } else if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && on.matches?.(".chip, .sentence, #strip *")) {
    event.preventDefault();
    const right = (event.key === "ArrowRight") !== (document.dir === "rtl");
    walkBy(right ? 1 : -1);
  }
});

becomeNarrow();
let waiting = 0;
new MutationObserver(() => {
  if (waiting) return;
  waiting = requestAnimationFrame(() => {
    waiting = 0;
    images();
    refill();
    changed();
    if (now.any && $("#live .turn.running")) watchJobs(() => `/desk/${now.any}/jobs`, () => now.conversation);
  });
}).observe(document.documentElement, { childList: true, subtree: true });
