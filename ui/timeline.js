// Draws the record's lanes: [data-drawing] holds what ui/timeline.py told. Zoom, pan, filter, keys, and highlighted events.
(() => {
  "use strict";
  const NS = "http://www.w3.org/2000/svg";
  const GUTTER = 150, BAR = 18, GAP = 4, ROW = 46, AXIS = 22, DAY = 86400000;
  const LANES = [["problems", "Problems"], ["medicines", "Medicines"], ["events", "Events"], ["series", "Values"]];
  const charts = new Set();
  let lit = new Set();

  function svg(tag, attributes = {}, text) {
    const made = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function html(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }
  const iso = (ms, span) => new Date(ms).toISOString().slice(0, span < 4 * DAY ? 16 : 10).replace("T", " ");

  function ticks(from, to, width) {
    const steps = [3600e3, 2 * 3600e3, 6 * 3600e3, 12 * 3600e3, DAY, 2 * DAY, 7 * DAY, 30.44 * DAY, 91.3 * DAY, 182.6 * DAY, 365.25 * DAY, 2 * 365.25 * DAY, 5 * 365.25 * DAY, 10 * 365.25 * DAY];
    const step = steps.find((length) => ((to - from) / length) * 74 <= width) || steps[steps.length - 1];
    const out = [];
    if (step >= 365 * DAY) {
      const years = Math.round(step / (365.25 * DAY));
      for (let year = Math.ceil(new Date(from).getUTCFullYear() / years) * years; Date.UTC(year, 0) <= to; year += years) out.push([Date.UTC(year, 0), String(year)]);
    } else if (step >= 30 * DAY) {
      const months = Math.round(step / (30.44 * DAY));
      const start = new Date(from);
      for (let month = start.getUTCFullYear() * 12 + Math.ceil(start.getUTCMonth() / months) * months; Date.UTC(0, 0) && Date.UTC(Math.floor(month / 12), month % 12) <= to; month += months)
        out.push([Date.UTC(Math.floor(month / 12), month % 12), `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, "0")}`]);
    } else {
      for (let at = Math.ceil(from / step) * step; at <= to; at += step) out.push([at, step >= DAY ? iso(at, 9 * DAY).slice(5) : iso(at, 0).slice(11) === "00:00" ? iso(at, 9 * DAY).slice(5) : iso(at, 0).slice(11)]);
    }
    return out.filter(([at]) => at >= from && at <= to);
  }

  class Chart {
    constructor(root) {
      this.root = root;
      this.data = JSON.parse(root.dataset.drawing);
      root.removeAttribute("data-drawing");
      this.shown = new Set(LANES.map(([key]) => key).filter((key) => this.data[key].length));
      this.words = "";
      this.odd = false;
      const times = [];
      for (const key of ["problems", "medicines", "events"]) for (const item of this.data[key]) times.push(item.at, ...(item.to ? [item.to] : []));
      for (const series of this.data.series) for (const value of series.values) times.push(value.at);
      const first = Math.min(...times), last = Math.max(...times), edge = Math.max((last - first) * 0.02, 1800e3);
      this.all = [first - edge, last + edge];
      this.span = [...this.all];
      this.build();
      this.width = 0;
      new ResizeObserver(() => { const width = this.stage.clientWidth; if (width && Math.abs(width - this.width) > 1) this.draw(); }).observe(this.stage);
    }

    build() {
      const button = (words, label, act) => { const made = html("button", { type: "button", textContent: words, title: label }); made.setAttribute("aria-label", label); made.addEventListener("click", act); return made; };
      this.boxes = LANES.filter(([key]) => this.data[key].length).map(([key, label]) => {
        const box = html("input", { type: "checkbox", checked: true });
        box.addEventListener("change", () => { box.checked ? this.shown.add(key) : this.shown.delete(key); this.draw(); });
        return html("label", { className: "lane" }, box, html("span", { textContent: label }));
      });
      const odd = html("input", { type: "checkbox" });
      odd.addEventListener("change", () => { this.odd = odd.checked; this.draw(); });
      const find = html("input", { type: "search", placeholder: "Filter the record", dir: "auto" });
      find.setAttribute("aria-label", "Filter the record");
      find.addEventListener("input", () => { this.words = find.value.toLowerCase(); this.draw(); });
      const zoom = html("div", { className: "zoom" }, button("−", "Zoom out", () => this.zoom(1.6)), button("+", "Zoom in", () => this.zoom(1 / 1.6)), button("↔", "Show all", () => { this.span = [...this.all]; this.draw(); }));
      this.stage = html("div", { className: "timeline-stage", tabIndex: 0, dir: "ltr" });
      this.stage.setAttribute("role", "group");
      this.stage.setAttribute("aria-label", "Entries in time. Arrow keys move, plus and minus zoom.");
      this.told = html("p", { className: "told" });
      this.told.setAttribute("data-content", "");
      this.told.setAttribute("aria-live", "polite");
      const head = html("header", {}, html("h3", { textContent: "Timeline" }), html("span", { className: "quiet" }, `${this.root.dataset.record} · ${this.data.patient}`));
      head.lastChild.setAttribute("data-content", "");
      this.root.append(head, html("div", { className: "controls" }, ...this.boxes, html("label", { className: "lane" }, odd, html("span", { textContent: "Out of range only" })), find, zoom), this.stage, this.told);
      const notes = [];
      if (this.data.undated) notes.push(`Entries without a date, not drawn: ${this.data.undated}`);
      if (this.data.left_out) notes.push(`Older entries, not drawn: ${this.data.left_out}`);
      for (const note of notes) this.root.append(html("p", { className: "quiet", textContent: note }));
      this.listen();
    }

    listen() {
      const stage = this.stage;
      stage.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.shiftKey) return; // a plain wheel scrolls the page
        event.preventDefault();
        if (event.shiftKey) this.pan((event.deltaY || event.deltaX) / 400); else this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.timeAt(event.offsetX));
      }, { passive: false });
      let held = null;
      stage.addEventListener("pointerdown", (event) => { held = { x: event.clientX, span: [...this.span], moved: false, id: event.pointerId }; });
      stage.addEventListener("pointermove", (event) => {
        if (!held) return;
        const shift = event.clientX - held.x;
        if (Math.abs(shift) > 4 && !held.moved) { held.moved = true; stage.setPointerCapture(held.id); }
        if (!held.moved) return;
        const by = (shift / (this.width - GUTTER)) * (held.span[1] - held.span[0]);
        this.span = [held.span[0] - by, held.span[1] - by];
        this.draw();
      });
      const drop = () => { held = null; };
      stage.addEventListener("pointerup", drop);
      stage.addEventListener("pointercancel", drop);
      stage.addEventListener("click", (event) => { const mark = event.target.closest("[data-source]"); if (mark) this.tell(mark.dataset.source); });
      stage.addEventListener("keydown", (event) => {
        const keys = { "+": () => this.zoom(0.7), "=": () => this.zoom(0.7), "-": () => this.zoom(1.4), "0": () => { this.span = [...this.all]; this.draw(); }, ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1) };
        if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
      });
    }

    timeAt(x) { return this.span[0] + (Math.max(x - GUTTER, 0) / (this.width - GUTTER)) * (this.span[1] - this.span[0]); }
    zoom(by, at = (this.span[0] + this.span[1]) / 2) {
      const length = Math.min(Math.max((this.span[1] - this.span[0]) * by, 1800e3), (this.all[1] - this.all[0]) * 1.5);
      const share = (at - this.span[0]) / (this.span[1] - this.span[0]);
      this.span = [at - share * length, at + (1 - share) * length];
      this.draw();
    }
    pan(by) { const length = this.span[1] - this.span[0]; this.span = this.span.map((at) => at + by * length); this.draw(); }

    // Arrow keys: the next mark in time of what is drawn.
    step(by) {
      const marks = [...this.stage.querySelectorAll("[data-source]")].sort((a, b) => a.dataset.at - b.dataset.at || (a.dataset.source < b.dataset.source ? -1 : 1));
      if (!marks.length) return;
      const now = marks.findIndex((mark) => mark.classList.contains("now"));
      const next = marks[Math.min(Math.max(now + by, 0), marks.length - 1)];
      this.tell(next.dataset.source);
    }

    tell(source) {
      this.stage.querySelectorAll(".now").forEach((mark) => mark.classList.remove("now"));
      const marks = this.stage.querySelectorAll(`[data-source="${CSS.escape(source)}"]`);
      marks.forEach((mark) => mark.classList.add("now"));
      this.told.textContent = this.said(source) || "";
      marks[0]?.scrollIntoView?.({ block: "nearest" });
    }
    said(source) {
      for (const key of ["problems", "medicines", "events"]) for (const item of this.data[key]) if (item.source === source) return item.said;
      for (const series of this.data.series) for (const value of series.values) if (value.source === source) return value.said;
      return "";
    }
    holds(source) { return Boolean(this.said(source)); }

    // Light up events: those rows are kept in view and shown even where a filter would hide them.
    light(sources) {
      const here = [...sources].filter((source) => this.holds(source));
      this.root.classList.toggle("lit", here.length > 0);
      if (here.length) {
        const times = [];
        for (const key of ["problems", "medicines", "events"]) for (const item of this.data[key]) if (sources.has(item.source)) times.push(item.at);
        for (const series of this.data.series) for (const value of series.values) if (sources.has(value.source)) times.push(value.at);
        if (Math.min(...times) < this.span[0] || Math.max(...times) > this.span[1]) this.span = [...this.all];
      }
      this.draw();
      if (here.length) this.tell(here[here.length - 1]);
      if (here.length) this.root.scrollIntoView({ block: "nearest" });
      this.stage.querySelector(".lit-mark")?.scrollIntoView?.({ block: "center" });
      return here.length;
    }

    wanted(item) { return lit.has(item.source) || !this.words || `${item.text} ${item.said}`.toLowerCase().includes(this.words); }

    draw() {
      this.width = this.stage.clientWidth;
      if (this.width < 60) return;
      const x = (at) => GUTTER + ((at - this.span[0]) / (this.span[1] - this.span[0])) * (this.width - GUTTER - 6);
      const canvas = svg("svg", { width: this.width, class: "lanes" });
      let y = AXIS;
      for (const [key, label] of LANES) {
        if (key === "series" || !this.shown.has(key) || this.odd) continue;
        const items = this.data[key].filter((item) => this.wanted(item));
        if (items.length) y = this.lane(canvas, label, items, x, y);
      }
      if (this.shown.has("series")) y = this.values(canvas, x, y);
      const grid = svg("g", { class: "axis" });
      for (const [at, words] of ticks(this.span[0], this.span[1], this.width - GUTTER)) {
        grid.append(svg("line", { x1: x(at), x2: x(at), y1: AXIS - 4, y2: y }), svg("text", { x: x(at), y: 13 }, words));
      }
      canvas.prepend(grid);
      canvas.setAttribute("height", y + 4);
      const now = this.stage.querySelector(".now")?.dataset.source;
      this.stage.replaceChildren(canvas);
      if (now) this.stage.querySelectorAll(`[data-source="${CSS.escape(now)}"]`).forEach((mark) => mark.classList.add("now"));
    }

    // Bars and points of one lane, packed into as few rows as they need.
    lane(canvas, label, items, x, top) {
      const rows = [], end = this.span[1], right = this.width - 6;
      const group = svg("g", { class: "lane" });
      group.append(svg("text", { class: "heading", x: 4, y: top + 13 }, window.consilium?.translated?.(label) || label));
      for (const item of items) {
        const to = item.to ?? (item.open ? end : item.at);
        if (to < this.span[0] || item.at > this.span[1]) { if (!lit.has(item.source)) continue; }
        const x1 = Math.max(x(item.at), GUTTER), x2 = Math.min(Math.max(x(to), x1 + 9), right);
        // The label stands in the bar, else beside it where there is more room, cut to fit.
        const label = item.category === "allergy" ? `${window.consilium?.translated?.("Allergy") || "Allergy"}: ${item.text}` : item.text;
        const before = x1 - GUTTER - 6, after = right - x2 - 6, within = x2 - x1 - 10;
        const inside = within >= label.length * 6.6 || within >= Math.max(before, after);
        const room = inside ? x2 - x1 - 10 : Math.max(before, after);
        const fits = Math.max(Math.floor(room / 6.6), 3);
        const words = label.length > fits ? `${label.slice(0, fits - 1)}…` : label;
        const flip = !inside && before > after;
        const from = flip ? x1 - words.length * 6.6 - 8 : x1, until = inside || flip ? x2 : x2 + words.length * 6.6 + 8;
        let row = rows.findIndex((used) => used.every(([a, b]) => b + 6 < from || until + 6 < a));
        if (row < 0) row = rows.push([]) - 1;
        rows[row].push([from, until]);
        const y = top + row * (BAR + GAP);
        const mark = svg("g", { class: `mark ${item.state.replace(" ", "-")} ${item.category.replace(" ", "-")}${lit.has(item.source) ? " lit-mark" : ""}`, "data-source": item.source, "data-at": item.at });
        mark.append(svg("title", {}, item.said), svg("rect", { x: x1, y, width: Math.max(x2 - x1, 9), height: BAR, rx: 4 }));
        mark.append(svg("text", { x: flip ? x1 - 5 : inside ? x1 + 5 : x2 + 5, y: y + 13, "text-anchor": flip ? "end" : "start" }, words));
        group.append(mark);
      }
      canvas.append(group);
      return top + Math.max(rows.length, 1) * (BAR + GAP) + 10;
    }

    values(canvas, x, top) {
      let y = top;
      const lights = (series) => series.values.some((value) => lit.has(value.source));
      const ordered = [...this.data.series].sort((a, b) => lights(b) - lights(a)); // what is lit comes first
      for (const series of ordered) {
        const isOdd = (value) => (value.low !== null && value.value < value.low) || (value.high !== null && value.value > value.high);
        const shown = lights(series);
        if (!shown && this.words && !series.name.toLowerCase().includes(this.words)) continue;
        if (!shown && this.odd && !series.values.some(isOdd)) continue;
        this.series(canvas, series, x, y, isOdd, shown);
        y += ROW;
      }
      return y;
    }

    series(canvas, series, x, top, isOdd, lights) {
      const numbers = series.values.map((value) => value.value);
      const bounds = [series.low, series.high].filter((bound) => bound !== null);
      let low = Math.min(...numbers, ...bounds), high = Math.max(...numbers, ...bounds);
      if (low === high) { low -= 1; high += 1; }
      const y = (value) => top + ROW - 8 - ((value - low) / (high - low)) * (ROW - 16);
      const right = this.width - 6, group = svg("g", { class: `series${lights ? " lit-row" : ""}` });
      group.append(svg("line", { class: "rule", x1: 0, x2: this.width, y1: top, y2: top }));
      const last = series.values[series.values.length - 1];
      const name = svg("text", { class: "heading", x: 4, y: top + 16 }, series.name.length > 20 ? `${series.name.slice(0, 19)}…` : series.name);
      name.append(svg("title", {}, series.name));
      group.append(name, svg("text", { class: `last${isOdd(last) ? " odd" : ""}`, x: 4, y: top + 33 }, `${+last.value.toPrecision(5)} ${series.unit}`.trim()));
      if (series.low !== null || series.high !== null) {
        const band = [y(series.high ?? high), y(series.low ?? low)];
        const bandBox = svg("rect", { class: "band", x: GUTTER, width: right - GUTTER, y: Math.min(...band), height: Math.max(Math.abs(band[1] - band[0]), 2) });
        bandBox.append(svg("title", {}, `${series.low ?? ""}–${series.high ?? ""} ${series.unit}`));
        group.append(bandBox);
      }
      const inside = series.values.filter((value) => value.at >= this.span[0] && value.at <= this.span[1]);
      if (inside.length > 1) group.append(svg("polyline", { class: "line", points: inside.map((value) => `${x(value.at)},${y(value.value)}`).join(" ") }));
      for (const value of inside) group.append(this.point(value, x(value.at), y(value.value), isOdd(value)));
      canvas.append(group);
    }

    // Out of range is told by shape as well as by colour: a triangle that points to where the value lies.
    point(value, x, y, odd) {
      const mark = svg("g", { class: `value${odd ? " odd" : ""}${lit.has(value.source) ? " lit-mark" : ""}`, "data-source": value.source, "data-at": value.at });
      mark.append(svg("title", {}, value.said), svg("circle", { class: "reach", cx: x, cy: y, r: 9 }));
      if (lit.has(value.source)) mark.append(svg("circle", { class: "halo", cx: x, cy: y, r: 8 }));
      const up = odd && value.high !== null && value.value > value.high;
      if (odd) mark.append(svg("path", { d: up ? `M${x - 4.5} ${y + 4}h9l-4.5 -8.5z` : `M${x - 4.5} ${y - 4}h9l-4.5 8.5z` }));
      else mark.append(svg("circle", { cx: x, cy: y, r: 3 }));
      return mark;
    }
  }

  function light(sources, button) {
    lit = new Set(sources);
    document.querySelectorAll(".driver[aria-pressed='true']").forEach((other) => other.setAttribute("aria-pressed", "false"));
    if (button && sources.length) button.setAttribute("aria-pressed", "true");
    for (const chart of [...charts]) { if (chart.root.isConnected) chart.light(lit); else charts.delete(chart); }
  }
  window.consilium = Object.assign(window.consilium || {}, { showEvents: (sources) => light(sources) });

  document.addEventListener("click", (event) => {
    const driver = event.target.closest?.(".driver[data-events]");
    if (!driver) return;
    const again = driver.getAttribute("aria-pressed") === "true";
    light(again ? [] : driver.dataset.events.split("\n").filter(Boolean), again ? null : driver);
  });
  document.addEventListener("consilium-language", () => { for (const chart of charts) if (chart.root.isConnected) chart.draw(); });
  let cited = "";
  new MutationObserver(() => {
    document.querySelectorAll(".timeline[data-drawing]").forEach((root) => charts.add(new Chart(root)));
    const row = document.querySelector("tr.selected[data-source], [data-shown-event]"); // a citation opened an entry of the record
    const source = row ? row.dataset.source || row.dataset.shownEvent : "";
    if (source !== cited) { cited = source; if (source) light([source]); }
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "data-shown-event"] });
})();
