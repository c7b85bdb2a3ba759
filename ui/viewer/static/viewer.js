// The viewer of volumes: planes, windows, overlay, measuring, comparing. What it shows is set by its controls, by
// keys and fingers on a pane, and by the evidence that was clicked.
import { AXIS, Mask, Volume, voxelAt } from "./volume.js";
import { Pane } from "./pane.js";
import { choices, labelled, make, say } from "./dom.js";

const PLANES = ["sagittal", "coronal", "axial"];
const NAMES = { bone: "Bone", soft: "Soft tissue", lung: "Lung", brain: "Brain", full: "Whole range", own: "By hand" };
const LARGEST = 320e6; // bytes of one file; what is larger is drawn by the server, slice by slice
const MOST = 150e6; // bytes of voxels kept together
const COLOURS = [[230, 97, 1], [94, 160, 255], [253, 184, 99], [120, 200, 140], [200, 130, 220], [240, 220, 90]];
// The steps of the height-loss map, as in the map of a single vertebra: below 10, 20, 25, 40 %, and above.
const LOSS = [[10, [92, 120, 170]], [20, [110, 200, 140]], [25, [250, 210, 90]], [40, [245, 140, 40]], [101, [215, 48, 39]]];

export class VolumeViewer {
  constructor(fetcher) {
    this.fetcher = fetcher; // {voxels(handle, told), sliceAddress(handle, look)}
    this.volumes = new Map();
    this.sizes = new Map();
    this.place = [0, 0, 0];
    this.lines = [];
    this.split = 0.5;
    this.window = { width: 1800, level: 400, invert: false };
    this.preset = "bone";
    this.layout = "sagittal";
    this.opacity = 0.4;
    this.colouring = "level";
    this.losses = {};
    this.cross = true;
    this.panes = PLANES.map((plane) => new Pane(this, plane));
    this.say = say;
    this.build();
    new ResizeObserver(() => this.redraw()).observe(this.stage);
  }

  build() {
    const change = (name, act) => make("select", { on: { change: act }, id: `view-${name}` });
    this.planes = make("div", { className: "segments", role: "group", "aria-label": say("Plane") },
      ...[...PLANES, "three"].map((name) => make("button", {
        type: "button", data: { layout: name }, on: { click: () => this.setLayout(name) },
      }, say(name === "three" ? "All" : name[0].toUpperCase() + name.slice(1)))));
    this.windows = change("window", () => this.setPreset(this.windows.value));
    this.masks = change("mask", () => this.setMask(this.masks.value));
    this.colours = change("colour", () => { this.colouring = this.colours.value; this.recolour(); });
    this.twins = change("twin", () => this.compare(this.twins.value));
    this.fade = make("input", { type: "range", min: 0, max: 100, value: 40, on: { input: () => {
      this.opacity = this.fade.value / 100;
      this.recolour();
    } } });
    this.slider = make("input", { type: "range", min: 0, max: 1, value: 0, className: "slices", "aria-label": say("Slice"),
      on: { input: () => this.go(this.active().plane, Number(this.slider.value)) } });
    this.between = make("input", { type: "range", min: 0, max: 100, value: 50, on: { input: () => this.setSplit(this.between.value / 100) } });
    this.ruler = this.tool("Measure", "m", () => this.setMeasuring(!this.measuring));
    this.inverter = this.tool("Invert", "i", () => this.setInvert(!this.window.invert));
    this.clearer = this.tool("Reset", "r", () => this.reset());
    this.status = make("output", { className: "under", "aria-live": "off" });
    this.legend = make("div", { className: "legend", hidden: true });
    this.note = make("p", { className: "quiet loading", role: "status" });
    this.server = make("img", { className: "server", alt: "", hidden: true });
    this.stage = make("div", { className: "stage" }, ...this.panes.map((pane) => pane.canvas), this.server);
    this.maskRow = make("div", { className: "controls" }, labelled("Overlay", this.masks), labelled("Colours", this.colours),
      labelled("Opacity", this.fade));
    this.twinRow = make("div", { className: "controls" }, labelled("Compare with", this.twins),
      this.betweenLabel = labelled("Before and after", this.between));
    this.root = make("div", { className: "volume-viewer" },
      make("div", { className: "controls tools" }, this.planes, this.ruler, this.inverter, this.clearer),
      this.stage, make("div", { className: "below" }, this.slider, this.status), this.legend, this.note,
      make("div", { className: "controls" }, labelled("Window", this.windows)), this.maskRow, this.twinRow,
      make("details", { className: "quiet keys" }, make("summary", {}, say("Keys and gestures")), make("p", {}, say(
        "Arrow keys and the wheel scroll; Page Up and Page Down by ten; + and − zoom; 1 to 5 choose a window; o hides the overlay; "
        + "m measures, i inverts, r resets. Drag with the right button, or with Shift, to change the window; with Alt to move. "
        + "On a touch screen drag up or down to scroll, tap to set the cross, pinch to zoom."))));
  }

  tool(words, key, act) {
    return make("button", { type: "button", className: "tool", "aria-pressed": "false", title: `${say(words)} (${key})`,
      on: { click: act } }, say(words));
  }

  active() {
    if (this.layout !== "three") return this.panes[PLANES.indexOf(this.layout)];
    return this.panes.find((pane) => pane.canvas === document.activeElement) ?? this.panes[0];
  }

  // Show an image, at a place if one is told. The server's own drawing stands in until the voxels are here.
  async show(image, presets, look = {}) {
    const fresh = this.image?.handle !== image.handle;
    this.image = image;
    this.presets = presets;
    if (fresh) this.begin(image);
    if (look.plane) this.layout = this.layout === "three" && !look.only ? "three" : look.plane;
    if (look.index !== undefined) this.place[AXIS[look.plane ?? this.layout]] = look.index;
    if (look.overlay !== undefined) this.wanted = look.overlay;
    this.arrange();
    this.preview();
    try {
      await this.load(fresh, look);
    } catch (error) {
      this.volume = null;
      this.note.textContent = `${say("Drawn by the server:")} ${error.message}`;
      this.preview();
    }
  }

  begin(image) {
    this.volume = this.overlay = this.twin = null;
    this.lines = [];
    this.place = image.shape.map((count) => Math.floor(count / 2));
    this.wanted = image.overlays.at(-1)?.handle ?? "";
    for (const pane of this.panes) { pane.zoom = 1; pane.pan = [0, 0]; }
    choices(this.windows, (image.ct ? ["bone", "soft", "lung", "brain", "full"] : ["full"]).map((name) => [name, say(NAMES[name])]),
      image.ct ? "bone" : "full");
    choices(this.masks, [["", say("none")], ...image.overlays.map((one) => [one.handle, one.handle])], this.wanted);
    choices(this.twins, [["", say("nothing")], ...image.twins.map((name) => [name, name])], "");
    this.preset = this.windows.value;
    this.maskRow.hidden = !image.overlays.length;
    this.twinRow.hidden = !image.twins.length;
    this.betweenLabel.hidden = true;
  }

  async load(fresh, look) {
    const image = this.image;
    const size = image.shape.reduce((product, count) => product * count, 2);
    if (size > LARGEST) throw new Error(say("the volume is too large for this browser."));
    if (!this.volumes.has(image.handle)) this.note.textContent = say("Loading the voxels…");
    const volume = await this.voxels(image.handle);
    if (this.image !== image) return;
    this.note.textContent = "";
    this.volume = volume;
    if (fresh) this.setPreset(this.preset);
    this.arrange();
    await this.setMask(this.wanted);
    if (this.image === image && look.where) this.aim(look.where, look.plane);
  }

  // Put the cross into the middle of a level in the slice that is shown, so that the other planes show it too.
  aim(level, plane) {
    const pane = this.panes[PLANES.indexOf(plane)];
    pane.draw();
    const found = [...(pane.seen ?? [])].find(([label]) => this.overlay?.labels[label] === level);
    if (!found) return;
    const [columns, rows, count] = found[1];
    this.moveTo(voxelAt(this.volume, plane, this.place[AXIS[plane]], Math.round(columns / count), Math.round(rows / count)));
  }

  voxels(handle, Kind = Volume) {
    if (!this.volumes.has(handle)) {
      const loading = this.fetcher.voxels(handle, (share) => {
        this.note.textContent = `${say("Loading the voxels…")} ${Math.round(100 * share)} %`;
      }).then((buffer) => {
        this.note.textContent = "";
        const made = new Kind(buffer);
        this.sizes.set(handle, made.data.byteLength);
        this.forget(handle);
        return made;
      });
      loading.catch(() => this.volumes.delete(handle));
      this.volumes.set(handle, loading);
    }
    const found = this.volumes.get(handle);
    this.volumes.delete(handle);
    this.volumes.set(handle, found); // the last used is the last to be forgotten
    return found;
  }

  // What was not looked at for longest goes when all together would fill the browser.
  forget(kept) {
    const total = () => [...this.volumes.keys()].reduce((sum, name) => sum + (this.sizes.get(name) ?? 0), 0);
    for (const name of [...this.volumes.keys()]) {
      if (total() <= MOST) return;
      if (name !== kept && name !== this.image?.handle && name !== this.twin?.image.handle) this.volumes.delete(name);
    }
  }

  // The picture that the server draws, while the voxels are on their way or cannot come.
  preview() {
    const covered = Boolean(this.volume);
    this.server.hidden = covered;
    for (const pane of this.panes) pane.canvas.classList.toggle("waiting", !covered);
    if (covered || !this.image) return;
    const plane = this.layout === "three" ? "sagittal" : this.layout;
    const index = this.place[AXIS[plane]];
    this.server.alt = `${this.image.handle}, ${plane} ${index + 1}`;
    this.server.src = this.fetcher.sliceAddress(this.image.handle, {
      plane, index, window: this.preset === "own" ? "full" : this.preset, overlay: this.wanted ?? "", opacity: this.opacity });
  }

  arrange() {
    this.stage.dataset.layout = this.layout;
    for (const pane of this.panes) pane.canvas.hidden = this.layout !== "three" && pane.plane !== this.layout;
    for (const button of this.planes.children) button.setAttribute("aria-pressed", String(button.dataset.layout === this.layout));
    this.redraw();
  }

  redraw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.drawNow();
    });
  }

  drawNow() {
    if (!this.image) return;
    const pane = this.active(), axis = AXIS[pane.plane];
    this.slider.max = this.image.shape[axis] - 1;
    this.slider.value = this.place[axis];
    this.slider.setAttribute("aria-valuetext", `${say(pane.plane)} ${this.place[axis] + 1} / ${this.image.shape[axis]}`);
    this.preview();
    if (!this.volume) return;
    for (const each of this.panes) if (!each.canvas.hidden) each.draw();
    this.status.textContent = this.reading(this.place);
  }

  reading(place) {
    const value = this.volume.value(...place), mm = this.volume.mm(...place);
    const unit = this.image.ct ? " HU" : "";
    const label = this.overlay?.labels[this.overlay.volume.value(...place)];
    const where = mm.map((part, axis) => `${"RAS"[axis]} ${part.toFixed(1)}`).join("  ");
    return `${Number.isNaN(value) ? "–" : `${Math.round(value)}${unit}`}   ${where} mm${label ? `   ${label}` : ""}`;
  }

  hover(pane, [column, row]) {
    const [across, up] = this.volume.size(pane.plane);
    const x = Math.round(column), y = Math.round(row);
    if (x < 0 || y < 0 || x >= across || y >= up) return;
    const place = [...this.place];
    const axes = { sagittal: [1, 2], coronal: [0, 2], axial: [0, 1] }[pane.plane];
    place[axes[0]] = across - 1 - x;
    place[axes[1]] = up - 1 - y;
    this.status.textContent = this.reading(place);
  }

  described(pane) {
    const axis = AXIS[pane.plane];
    const shown = this.overlay ? `, ${say("overlay")} ${this.overlay.handle}` : "";
    return `${this.image.handle} ${this.image.mark} ${say(pane.plane)} ${this.place[axis] + 1} / ${this.image.shape[axis]}, ${this.windowText()}${shown}`;
  }

  windowText() {
    const unit = this.image.ct ? " HU" : "";
    return `W ${Math.round(this.window.width)} L ${Math.round(this.window.level)}${unit}`;
  }

  labelled(name) {
    const loss = this.losses[this.image.handle]?.[name];
    return this.colouring === "loss" && loss !== undefined ? `${name} ${Math.round(loss)} %` : name;
  }

  step(plane, steps) {
    this.go(plane, this.place[AXIS[plane]] + steps);
  }

  go(plane, index) {
    const axis = AXIS[plane];
    this.place[axis] = Math.min(Math.max(index, 0), this.image.shape[axis] - 1);
    this.redraw();
  }

  moveTo(place) {
    this.place = place.map((at, axis) => Math.min(Math.max(at, 0), this.image.shape[axis] - 1));
    this.redraw();
  }

  setLayout(name) {
    this.layout = name;
    this.arrange();
  }

  setPreset(name) {
    this.preset = name;
    if (this.presets[name] && this.image.ct) [this.window.width, this.window.level] = this.presets[name];
    else if (this.volume) {
      const [low, high] = this.volume.range();
      this.window.width = Math.max(high - low, 1);
      this.window.level = (high + low) / 2;
    }
    if ([...this.windows.options].some((option) => option.value === name)) this.windows.value = name;
    this.redraw();
  }

  setWindow(width, level) {
    this.window.width = Math.min(Math.max(width, 1), 8000);
    this.window.level = Math.min(Math.max(level, -2000), 6000);
    if (![...this.windows.options].some((option) => option.value === "own")) {
      this.windows.append(make("option", { value: "own" }, say(NAMES.own)));
    }
    this.windows.value = this.preset = "own";
    this.redraw();
  }

  setInvert(on) {
    this.window.invert = on;
    this.inverter.setAttribute("aria-pressed", String(on));
    this.redraw();
  }

  setMeasuring(on) {
    this.measuring = on;
    this.ruler.setAttribute("aria-pressed", String(on));
    this.stage.classList.toggle("measuring", on);
  }

  setSplit(share) {
    this.split = Math.min(Math.max(share, 0), 1);
    this.between.value = Math.round(100 * this.split);
    this.redraw();
  }

  async setMask(handle) {
    this.wanted = handle;
    this.masks.value = handle;
    const known = this.image.overlays.find((one) => one.handle === handle);
    if (!known) {
      this.overlay = null;
      return this.redraw();
    }
    const image = this.image, volume = await this.voxels(handle, Mask);
    if (this.image !== image || this.wanted !== handle) return undefined;
    this.overlay = { handle, volume, labels: known.labels, opacity: this.opacity, colours: new Uint8Array(768) };
    return this.recolour();
  }

  setLosses(losses) {
    this.losses = losses;
    this.recolour();
  }

  recolour() {
    const losses = this.losses[this.image?.handle] ?? null;
    choices(this.colours, [["level", say("Levels")], ...(losses ? [["loss", say("Height loss")]] : [])], this.colouring);
    if (!losses && this.colouring === "loss") this.colouring = "level";
    this.colours.value = this.colouring;
    this.legend.hidden = this.colouring !== "loss" || !this.overlay;
    if (this.overlay) {
      this.overlay.opacity = this.opacity;
      for (let label = 1; label < 256; label += 1) this.overlay.colours.set(this.colourOf(label, losses), 3 * label);
      this.legend.replaceChildren(say("Loss of the worst third"), ...LOSS.map(([below, colour], place) => make("span", {},
        make("i", { style: `background: rgb(${colour})` }), place === LOSS.length - 1 ? "≥ 40 %" : `< ${below} %`)),
        make("span", {}, make("i", { style: "background: rgb(150,150,150)" }), say("not graded")));
    }
    this.redraw();
  }

  colourOf(label, losses) {
    if (this.colouring !== "loss") return COLOURS[label % COLOURS.length];
    const loss = losses?.[this.overlay.labels[label]];
    return loss === undefined ? [150, 150, 150] : LOSS.find(([below]) => loss < below)[1];
  }

  async compare(handle) {
    this.twins.value = handle;
    this.betweenLabel.hidden = !handle;
    this.twin = null;
    if (!handle) return this.redraw();
    const image = this.image, volume = await this.voxels(handle);
    if (this.image === image && this.twins.value === handle) this.twin = { volume, image: this.fetcher.imageOf(handle) };
    return this.redraw();
  }

  reset() {
    for (const pane of this.panes) { pane.zoom = 1; pane.pan = [0, 0]; }
    this.lines = [];
    this.setMeasuring(false);
    this.setInvert(false);
    this.setPreset(this.image.ct ? "bone" : "full");
  }

  // A key on a pane; whether it meant something.
  key(pane, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (steps) this.step(pane.plane, steps);
    else if (event.key === "Home") this.go(pane.plane, 0);
    else if (event.key === "End") this.go(pane.plane, Infinity);
    else if (event.key === "+" || event.key === "=") pane.zoomBy(1.25);
    else if (event.key === "-") pane.zoomBy(0.8);
    else if (event.key >= "1" && event.key <= "5" && this.windows.options[event.key - 1]) this.setPreset(this.windows.options[event.key - 1].value);
    else if (event.key === "m") this.setMeasuring(!this.measuring);
    else if (event.key === "i") this.setInvert(!this.window.invert);
    else if (event.key === "r") this.reset();
    else if (event.key === "o" && this.image.overlays.length) this.setMask(this.wanted ? "" : this.image.overlays.at(-1).handle);
    else return false;
    return true;
  }
}
