// The viewer of flat pictures (X-rays, photographs, figures): zoom, move, window, invert.
import { labelled, make, say } from "./dom.js";

export class FilmViewer {
  constructor() {
    this.canvas = make("canvas", { tabIndex: 0, role: "img" });
    this.width = make("input", { type: "range", min: 1, max: 255, value: 255, on: { input: () => this.window() } });
    this.level = make("input", { type: "range", min: 0, max: 255, value: 128, on: { input: () => this.window() } });
    this.inverter = make("button", { type: "button", className: "tool", "aria-pressed": "false", on: { click: () => this.invert() } }, say("Invert"));
    this.stage = make("div", { className: "stage", data: { layout: "film" } }, this.canvas);
    this.status = make("output", { className: "under" });
    const tool = (words, act) => make("button", { type: "button", className: "tool", on: { click: act } }, say(words));
    this.root = make("div", { className: "film-viewer" },
      make("div", { className: "controls tools" }, tool("Zoom in", () => this.zoomBy(1.3)), tool("Zoom out", () => this.zoomBy(1 / 1.3)),
        this.inverter, tool("Reset", () => this.reset())),
      this.stage, make("div", { className: "below" }, this.status),
      make("div", { className: "controls" }, labelled("Window width", this.width), labelled("Window level", this.level)));
    this.pointers = new Map();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.stage);
  }

  async show(image, address) {
    if (this.image?.handle === image.handle && this.picture) return this.draw();
    this.image = image;
    this.picture = null;
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    if (this.image !== image) return undefined;
    const own = make("canvas", { width: picture.naturalWidth, height: picture.naturalHeight });
    this.pen = own.getContext("2d", { willReadFrequently: true });
    this.pen.drawImage(picture, 0, 0);
    this.original = this.pen.getImageData(0, 0, own.width, own.height);
    this.shown = this.pen.createImageData(own.width, own.height);
    this.picture = own;
    return this.reset();
  }

  reset() {
    this.zoom = 1;
    this.pan = [0, 0];
    this.inverted = false;
    this.inverter.setAttribute("aria-pressed", "false");
    this.width.value = 255;
    this.level.value = 128;
    this.window();
  }

  invert() {
    this.inverted = !this.inverted;
    this.inverter.setAttribute("aria-pressed", String(this.inverted));
    this.window();
  }

  window() {
    if (!this.picture) return;
    const width = Number(this.width.value), low = Number(this.level.value) - width / 2;
    const table = new Uint8ClampedArray(256);
    for (let grey = 0; grey < 256; grey += 1) {
      const value = (grey - low) * 255 / width;
      table[grey] = this.inverted ? 255 - value : value;
    }
    const from = this.original.data, to = this.shown.data;
    for (let at = 0; at < from.length; at += 4) {
      to[at] = table[from[at]];
      to[at + 1] = table[from[at + 1]];
      to[at + 2] = table[from[at + 2]];
      to[at + 3] = 255;
    }
    this.pen.putImageData(this.shown, 0, 0);
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!this.picture || !width || !height) return;
    const dense = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(width * dense);
    this.canvas.height = Math.round(height * dense);
    const pen = this.canvas.getContext("2d", { alpha: false });
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    const fit = Math.min(width / this.picture.width, height / this.picture.height) * this.zoom;
    this.fit = fit;
    pen.imageSmoothingEnabled = fit < 4;
    pen.drawImage(this.picture, (width - this.picture.width * fit) / 2 + this.pan[0],
      (height - this.picture.height * fit) / 2 + this.pan[1], this.picture.width * fit, this.picture.height * fit);
    this.canvas.setAttribute("aria-label", `${this.image.handle} ${this.image.mark} ${this.image.title}`);
    this.status.textContent = `${this.picture.width} × ${this.picture.height}   ${Math.round(100 * fit)} %   W ${this.width.value} L ${this.level.value}`;
  }

  zoomBy(factor) {
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), 20);
    if (this.zoom === 1) this.pan = [0, 0];
    this.draw();
  }

  listen() {
    const { canvas, pointers } = this;
    const apart = () => {
      const [one, two] = [...pointers.values()];
      return Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15);
    }, { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
      this.last = pointers.size === 2 ? apart() : null;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      pointers.set(event.pointerId, event);
      const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
      if (pointers.size === 2) {
        const now = apart();
        if (this.last) this.zoomBy(now / this.last);
        this.last = now;
      } else if (event.buttons === 2 || event.shiftKey) {
        this.width.value = Number(this.width.value) + dx;
        this.level.value = Number(this.level.value) + dy;
        this.window();
      } else {
        this.pan = [this.pan[0] + dx, this.pan[1] + dy];
        this.draw();
      }
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [20, 0], ArrowRight: [-20, 0], ArrowUp: [0, 20], ArrowDown: [0, -20] }[event.key];
      if (moves) this.pan = [this.pan[0] + moves[0], this.pan[1] + moves[1]];
      else if (event.key === "+" || event.key === "=") this.zoom = Math.min(this.zoom * 1.25, 20);
      else if (event.key === "-") this.zoom = Math.max(this.zoom / 1.25, 1);
      else if (event.key === "i") this.invert();
      else if (event.key === "r") this.reset();
      else return;
      event.preventDefault();
      this.draw();
    });
  }
}
