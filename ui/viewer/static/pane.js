// One canvas that shows one plane: the picture, what is drawn over it, and what a mouse, a finger or a key does to it.
import { AXIS, LETTERS, paint, pixelAt, voxelAt } from "./volume.js";

const INK = "#f2f2f2";
const MARK = "#ffb03c";
const DRAG_PX = 4;
const SPREAD = 0.12; // fingers that move along are never quite as far apart as they were

export class Pane {
  // `viewer` holds what all panes share: volume, twin, overlay, window, place, tool; it is told through `moved`.
  constructor(viewer, plane) {
    this.viewer = viewer;
    this.plane = plane;
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.dataset.plane = plane;
    this.zoom = 1;
    this.pan = [0, 0];
    this.own = [document.createElement("canvas"), document.createElement("canvas")];
    this.pointers = new Map();
    this.listen();
  }

  get index() {
    return this.viewer.place[AXIS[this.plane]];
  }

  // Where the slice lies on the canvas: scale to CSS pixels per voxel and the corner.
  frame() {
    const volume = this.viewer.volume;
    const [across, up] = volume.size(this.plane), [mmAcross, mmUp] = volume.pixel(this.plane);
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const fit = Math.min(width / (across * mmAcross), height / (up * mmUp)) * this.zoom;
    const size = [across * mmAcross * fit, up * mmUp * fit];
    const corner = [(width - size[0]) / 2 + this.pan[0], (height - size[1]) / 2 + this.pan[1]];
    return { fit, size, corner, scale: [mmAcross * fit, mmUp * fit] };
  }

  draw() {
    const { volume } = this.viewer;
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    if (!volume || !width || !height) return;
    const dense = Math.min(window.devicePixelRatio || 1, 2);
    if (this.canvas.width !== Math.round(width * dense) || this.canvas.height !== Math.round(height * dense)) {
      this.canvas.width = Math.round(width * dense);
      this.canvas.height = Math.round(height * dense);
    }
    const pen = this.canvas.getContext("2d", { alpha: false });
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, width, height);
    const frame = this.frame();
    const seen = this.seen = this.put(pen, frame, volume, this.viewer.overlay, 0);
    const split = this.viewer.twin ? this.splitAt(frame) : null;
    if (split !== null) {
      pen.save();
      pen.beginPath();
      pen.rect(split, 0, width - split, height);
      pen.clip();
      this.put(pen, frame, this.viewer.twin.volume, null, 1);
      pen.restore();
    }
    this.annotate(pen, frame, seen, split, width, height);
    this.canvas.setAttribute("aria-label", this.viewer.described(this));
  }

  put(pen, frame, volume, overlay, which) {
    const [across, up] = volume.size(this.plane), own = this.own[which];
    if (own.width !== across || own.height !== up || !own.image) {
      own.width = across;
      own.height = up;
      own.pen = own.getContext("2d", { alpha: false });
      own.image = own.pen.createImageData(across, up);
    }
    const index = Math.min(this.index, volume.shape[AXIS[this.plane]] - 1);
    const seen = paint(own.image, volume, this.plane, index, this.viewer.window, overlay);
    own.pen.putImageData(own.image, 0, 0);
    pen.imageSmoothingEnabled = frame.scale[0] < 6;
    pen.drawImage(own, frame.corner[0], frame.corner[1], frame.size[0], frame.size[1]);
    return seen;
  }

  splitAt(frame) {
    return Math.min(Math.max(frame.corner[0], 0) + this.viewer.split * Math.min(frame.size[0], this.canvas.clientWidth),
      this.canvas.clientWidth);
  }

  annotate(pen, frame, seen, split, width, height) {
    const { viewer } = this, at = (column, row) => [
      frame.corner[0] + (column + 0.5) * frame.scale[0], frame.corner[1] + (row + 0.5) * frame.scale[1]];
    pen.lineJoin = "round";
    if (viewer.overlay && viewer.overlay.opacity > 0) {
      for (const [label, [columns, rows, count]] of seen) {
        const name = viewer.overlay.labels[label];
        if (name && count * frame.scale[0] * frame.scale[1] > 60) {
          const [x, y] = at(columns / count, rows / count);
          if (split === null || x < split) write(pen, viewer.labelled(name), x, y, "center", 12, INK, 600);
        }
      }
    }
    if (viewer.cross && !split) {
      const [x, y] = at(...pixelAt(viewer.volume, this.plane, viewer.place));
      pen.strokeStyle = "rgba(120, 220, 230, .75)";
      pen.lineWidth = 1;
      for (const [x1, y1, x2, y2] of [[0, y, x - 9, y], [x + 9, y, width, y], [x, 0, x, y - 9], [x, y + 9, x, height]]) {
        pen.beginPath();
        pen.moveTo(x1, y1);
        pen.lineTo(x2, y2);
        pen.stroke();
      }
    }
    for (const line of viewer.lines) {
      if (line.plane === this.plane && line.index === this.index) this.ruler(pen, line, at);
    }
    const letters = LETTERS[this.plane];
    write(pen, letters[0], 10, height / 2, "left", 15);
    write(pen, letters[1], width - 10, height / 2, "right", 15);
    write(pen, letters[2], width / 2, 14, "center", 15);
    write(pen, letters[3], width / 2, height - 14, "center", 15);
    write(pen, `${viewer.say(this.plane)} ${this.index + 1} / ${viewer.volume.shape[AXIS[this.plane]]}`, 10, 15, "left", 12);
    write(pen, viewer.windowText(), 10, 31, "left", 12);
    if (split === null) {
      if (viewer.image.mark) write(pen, viewer.image.mark, width - 10, 15, "right", 13, MARK, 700);
    } else this.halves(pen, split, width, height);
    this.bar(pen, frame, width, height);
  }

  halves(pen, split, width, height) {
    const { viewer } = this;
    pen.fillStyle = MARK;
    pen.fillRect(split - 1, 0, 2, height);
    pen.beginPath();
    pen.arc(split, height / 2, 12, 0, 2 * Math.PI);
    pen.fill();
    write(pen, "◂ ▸", split, height / 2, "center", 10, "#222", 700, false);
    const one = [viewer.image.handle, viewer.image.mark].filter(Boolean).join(" ");
    const two = [viewer.twin.image.handle, viewer.twin.image.mark].filter(Boolean).join(" ");
    write(pen, one, split - 10, height - 36, "right", 13, viewer.image.mark ? MARK : INK, 700);
    write(pen, two, split + 10, height - 36, "left", 13, viewer.twin.image.mark ? MARK : INK, 700);
  }

  ruler(pen, line, at) {
    const [x1, y1] = at(...line.from), [x2, y2] = at(...line.to);
    pen.strokeStyle = "#ffe066";
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
    write(pen, `${this.length(line).toFixed(1)} mm`, (x1 + x2) / 2 + 8, (y1 + y2) / 2 - 8, "left", 13, "#ffe066", 700);
  }

  length(line) {
    const [mmAcross, mmUp] = this.viewer.volume.pixel(this.plane);
    return Math.hypot((line.to[0] - line.from[0]) * mmAcross, (line.to[1] - line.from[1]) * mmUp);
  }

  bar(pen, frame, width, height) {
    const length = [100, 50, 20, 10, 5, 2, 1].find((mm) => mm * frame.fit <= width / 4) ?? 1;
    const right = width - 12, y = height - 12;
    pen.strokeStyle = INK;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(right - length * frame.fit, y);
    pen.lineTo(right, y);
    pen.stroke();
    write(pen, `${length} mm`, right, y - 10, "right", 11);
  }

  // The fractional pixel of the slice under a point of the canvas.
  under(event) {
    const box = this.canvas.getBoundingClientRect(), frame = this.frame();
    return [
      (event.clientX - box.left - frame.corner[0]) / frame.scale[0] - 0.5,
      (event.clientY - box.top - frame.corner[1]) / frame.scale[1] - 0.5,
    ];
  }

  listen() {
    const { canvas, viewer } = this;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) this.zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15, [event.offsetX, event.offsetY]);
      else viewer.step(this.plane, event.deltaY > 0 ? 1 : -1);
    }, { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.up(event));
    canvas.addEventListener("keydown", (event) => {
      if (viewer.key(this, event)) event.preventDefault();
    });
  }

  down(event) {
    if (!this.viewer.volume) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    const touch = event.pointerType === "touch";
    if (this.pointers.size === 2) {
      this.drag = { kind: "pinch", apart: this.apart(), zoom: this.zoom, between: this.between() };
      return;
    }
    let kind = touch ? "scroll" : "cross";
    if (this.viewer.twin && Math.abs(event.offsetX - this.splitAt(this.frame())) < 24) kind = "split";
    else if (this.viewer.measuring) kind = "measure";
    else if (event.button === 2 || event.shiftKey) kind = "window";
    else if (event.button === 1 || event.altKey) kind = "pan";
    this.drag = { kind, x: event.clientX, y: event.clientY, window: { ...this.viewer.window }, pan: [...this.pan], moved: false };
    if (kind === "measure") {
      this.drag.line = { plane: this.plane, index: this.index, from: this.under(event), to: this.under(event) };
      this.viewer.lines.push(this.drag.line);
    } else if (kind === "cross") this.cross(event);
  }

  move(event) {
    if (!this.viewer.volume) return;
    if (!this.drag) {
      if (event.pointerType === "mouse") this.viewer.hover(this, this.under(event));
      return;
    }
    this.pointers.set(event.pointerId, event);
    const drag = this.drag, dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (Math.hypot(dx, dy) > DRAG_PX) drag.moved = true;
    if (drag.kind === "pinch") {
      if (this.pointers.size === 2) this.pinch(drag);
    } else if (drag.kind === "measure") {
      drag.line.to = this.under(event);
      this.viewer.redraw();
    } else if (drag.kind === "window") this.viewer.setWindow(drag.window.width + 4 * dx, drag.window.level + 2 * dy);
    else if (drag.kind === "pan") {
      this.pan = [drag.pan[0] + dx, drag.pan[1] + dy];
      this.viewer.redraw();
    } else if (drag.kind === "split") {
      const frame = this.frame();
      this.viewer.setSplit((event.offsetX - Math.max(frame.corner[0], 0)) / Math.min(frame.size[0], this.canvas.clientWidth));
    } else if (drag.kind === "cross") this.cross(event);
    else if (drag.kind === "scroll") {
      const steps = Math.trunc(dy / 6);
      if (steps) {
        this.viewer.step(this.plane, steps);
        drag.y += steps * 6;
      }
    }
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const drag = this.drag;
    if (!drag || this.pointers.size) return;
    this.drag = null;
    if (drag.kind === "scroll" && !drag.moved) this.cross(event);
    if (drag.kind === "measure" && !drag.moved) this.viewer.lines.pop();
    this.viewer.redraw();
  }

  // Two fingers: apart and together zooms about the point between them, together along moves the picture; one that is
  // not zoomed has nowhere to move, so that the page is scrolled past it instead.
  pinch(drag) {
    const before = drag.between, [x, y] = drag.between = this.between(), box = this.canvas.getBoundingClientRect();
    if (drag.zoom === 1 && !drag.zooming && Math.abs(this.apart() / Math.max(drag.apart, 1) - 1) < SPREAD) {
      this.canvas.closest("#panel")?.scrollBy({ top: before[1] - y });
      return;
    }
    if (!drag.zooming) drag.apart = this.apart(); // from here on, so that the picture does not jump
    drag.zooming = true;
    this.zoomTo(drag.zoom * this.apart() / Math.max(drag.apart, 1), [before[0] - box.left, before[1] - box.top]);
    if (this.zoom > 1) {
      this.pan = [this.pan[0] + x - before[0], this.pan[1] + y - before[1]];
      this.viewer.redraw();
    }
  }

  // The point between two fingers, on the screen.
  between() {
    const [one, two] = [...this.pointers.values()];
    return [(one.clientX + two.clientX) / 2, (one.clientY + two.clientY) / 2];
  }

  apart() {
    const [one, two] = [...this.pointers.values()];
    return Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
  }

  cross(event) {
    const [column, row] = this.under(event);
    this.viewer.moveTo(voxelAt(this.viewer.volume, this.plane, this.index, Math.round(column), Math.round(row)));
  }

  zoomBy(factor, about) {
    this.zoomTo(this.zoom * factor, about);
  }

  // What lies under `about`, a point of the canvas (its middle by default), stays there.
  zoomTo(zoom, about = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]) {
    const before = this.zoom;
    this.zoom = Math.min(Math.max(zoom, 1), 16);
    const middle = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2], by = this.zoom / before;
    this.pan = this.pan.map((pan, axis) => (about[axis] - middle[axis]) * (1 - by) + pan * by);
    if (this.zoom === 1) this.pan = [0, 0];
    this.viewer.redraw();
  }
}

function write(pen, words, x, y, align, size, colour = INK, weight = 500, halo = true) {
  pen.font = `${weight} ${size}px system-ui, sans-serif`;
  pen.textAlign = align;
  pen.textBaseline = "middle";
  if (halo) {
    pen.lineWidth = 3;
    pen.strokeStyle = "rgba(0, 0, 0, .85)";
    pen.strokeText(words, x, y);
  }
  pen.fillStyle = colour;
  pen.fillText(words, x, y);
}
