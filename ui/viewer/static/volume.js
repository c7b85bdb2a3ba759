// Voxels of a canonical NIfTI file (uncompressed, RAS) as a typed array, and slices of them as pixels. No WebGL: a slice
// is a quarter of a million table look-ups, which any processor does in a few milliseconds (docs/adr/0007).

const TYPES = {
  2: Uint8Array, 4: Int16Array, 8: Int32Array, 16: Float32Array, 64: Float64Array, 256: Int8Array, 512: Uint16Array,
  768: Uint32Array,
};
export const AXIS = { sagittal: 0, coronal: 1, axial: 2 };
// Radiological convention: letters at the left, right, top and bottom edges.
export const LETTERS = { sagittal: "APSI", coronal: "RLSI", axial: "RLAP" };
const ACROSS = { sagittal: 1, coronal: 0, axial: 0 };
const UP = { sagittal: 2, coronal: 2, axial: 1 };

export class Volume {
  constructor(buffer) {
    const head = new DataView(buffer);
    if (head.getInt32(0, true) !== 348) throw new Error("not a little-endian NIfTI-1 file");
    this.shape = [head.getInt16(42, true), head.getInt16(44, true), head.getInt16(46, true)];
    const Type = TYPES[head.getInt16(70, true)];
    if (!Type) throw new Error("voxels of a type that is not shown here");
    const offset = head.getFloat32(108, true);
    const count = this.shape[0] * this.shape[1] * this.shape[2];
    this.data = offset % Type.BYTES_PER_ELEMENT === 0
      ? new Type(buffer, offset, count)
      : new Type(buffer.slice(offset, offset + count * Type.BYTES_PER_ELEMENT));
    const slope = head.getFloat32(112, true);
    this.slope = Number.isFinite(slope) && slope !== 0 ? slope : 1;
    const intercept = head.getFloat32(116, true);
    this.intercept = Number.isFinite(intercept) ? intercept : 0;
    this.affine = [0, 1, 2].map((row) => [0, 1, 2, 3].map((column) => head.getFloat32(280 + 16 * row + 4 * column, true)));
    this.spacing = [0, 1, 2].map((axis) => Math.hypot(...this.affine.map((row) => row[axis])));
    this.strides = [1, this.shape[0], this.shape[0] * this.shape[1]];
    this.table = null;
  }

  value(x, y, z) {
    if (x < 0 || y < 0 || z < 0 || x >= this.shape[0] || y >= this.shape[1] || z >= this.shape[2]) return NaN;
    return this.data[x + y * this.strides[1] + z * this.strides[2]] * this.slope + this.intercept;
  }

  mm(x, y, z) {
    return this.affine.map((row) => row[0] * x + row[1] * y + row[2] * z + row[3]);
  }

  size(plane) {
    return [this.shape[ACROSS[plane]], this.shape[UP[plane]]];
  }

  pixel(plane) {
    return [this.spacing[ACROSS[plane]], this.spacing[UP[plane]]];
  }

  // Lowest and highest value of a sample of the voxels, for images that have no customary windows.
  range() {
    if (!this.known) {
      let low = Infinity, high = -Infinity;
      const step = Math.max(1, Math.floor(this.data.length / 400000));
      for (let place = 0; place < this.data.length; place += step) {
        const value = this.data[place];
        if (value < low) low = value;
        if (value > high) high = value;
      }
      this.known = [low * this.slope + this.intercept, high * this.slope + this.intercept];
    }
    return this.known;
  }

  // A table from stored 16-bit values to grey, made again only when the window changes.
  grey(width, level, invert) {
    const key = `${width},${level},${invert}`;
    if (this.table?.key === key) return this.table.values;
    const low = level - width / 2, scale = 255 / Math.max(width, 1e-6);
    const values = new Uint8ClampedArray(65536);
    const signed = this.data instanceof Int16Array || this.data instanceof Int8Array;
    for (let bits = 0; bits < 65536; bits += 1) {
      const stored = signed && bits > 32767 ? bits - 65536 : bits;
      const shown = (stored * this.slope + this.intercept - low) * scale;
      values[bits] = invert ? 255 - shown : shown;
    }
    this.table = { key, values };
    return values;
  }

  get isSmall() {
    return this.data.BYTES_PER_ELEMENT <= 2;
  }
}

// A mask without the empty space around its labels: a spine fills a fiftieth of a chest, and the rest would fill memory.
export class Mask {
  constructor(buffer) {
    const whole = new Volume(buffer);
    const [nx, ny, nz] = this.shape = whole.shape;
    const low = [nx, ny, nz], high = [-1, -1, -1];
    for (let z = 0, at = 0; z < nz; z += 1) {
      for (let y = 0; y < ny; y += 1) {
        for (let x = 0; x < nx; x += 1, at += 1) {
          if (!whole.data[at]) continue;
          if (x < low[0]) low[0] = x;
          if (x > high[0]) high[0] = x;
          if (y < low[1]) low[1] = y;
          if (y > high[1]) high[1] = y;
          if (z < low[2]) low[2] = z;
          if (z > high[2]) high[2] = z;
        }
      }
    }
    this.low = low;
    this.size = high.map((end, axis) => Math.max(end - low[axis] + 1, 0));
    const [sx, sy, sz] = this.size;
    this.data = new Uint8Array(sx * sy * sz);
    for (let z = 0, to = 0; z < sz; z += 1) {
      for (let y = 0; y < sy; y += 1, to += sx) {
        const from = low[0] + (low[1] + y) * nx + (low[2] + z) * nx * ny;
        for (let x = 0; x < sx; x += 1) this.data[to + x] = whole.data[from + x];
      }
    }
  }

  value(x, y, z) {
    const [px, py, pz] = [x - this.low[0], y - this.low[1], z - this.low[2]], [sx, sy, sz] = this.size;
    return px < 0 || py < 0 || pz < 0 || px >= sx || py >= sy || pz >= sz ? 0 : this.data[px + sx * (py + sy * pz)];
  }

  // The labels of a slice, row by row as it is drawn; null for a slice outside of all labels.
  slice(plane, index) {
    const axis = AXIS[plane], across = ACROSS[plane], up = UP[plane];
    const steps = [1, this.size[0], this.size[0] * this.size[1]];
    if (index < this.low[axis] || index >= this.low[axis] + this.size[axis]) return null;
    const width = this.shape[across], height = this.shape[up];
    const labels = new Uint8Array(width * height), base = (index - this.low[axis]) * steps[axis];
    for (let v = 0; v < this.size[up]; v += 1) {
      let to = (height - 1 - this.low[up] - v) * width + width - 1 - this.low[across];
      let from = base + v * steps[up];
      for (let u = 0; u < this.size[across]; u += 1, to -= 1, from += steps[across]) labels[to] = this.data[from];
    }
    return labels;
  }
}

// Where the pixel (column, row) of a slice lies in the volume.
export function voxelAt(volume, plane, index, column, row) {
  const [across, up] = volume.size(plane);
  const place = [0, 0, 0];
  place[AXIS[plane]] = index;
  place[ACROSS[plane]] = across - 1 - column;
  place[UP[plane]] = up - 1 - row;
  return place;
}

export function pixelAt(volume, plane, place) {
  const [across, up] = volume.size(plane);
  return [across - 1 - place[ACROSS[plane]], up - 1 - place[UP[plane]]];
}

// Draw a slice into an ImageData of the slice's own size. `overlay`: {volume, colours (256 x RGB), opacity}.
// Returns for each label in the slice [columns, rows, count] summed, so that its name can stand in its middle.
export function paint(image, volume, plane, index, window, overlay) {
  const [across, up] = volume.size(plane);
  const pixels = new Uint32Array(image.data.buffer);
  const { data, strides } = volume;
  const stepAcross = strides[ACROSS[plane]], stepUp = strides[UP[plane]];
  const base = index * strides[AXIS[plane]];
  const table = volume.isSmall ? volume.grey(window.width, window.level, window.invert) : null;
  const low = window.level - window.width / 2, scale = 255 / Math.max(window.width, 1e-6);
  const labels = overlay ? overlay.volume.slice(plane, index) : null;
  const seen = new Map();
  const opacity = overlay ? overlay.opacity : 0;
  let out = 0;
  for (let row = 0; row < up; row += 1) {
    let at = base + (up - 1 - row) * stepUp + (across - 1) * stepAcross;
    for (let column = 0; column < across; column += 1, at -= stepAcross, out += 1) {
      let grey;
      if (table) grey = table[data[at] & 65535];
      else {
        grey = (data[at] * volume.slope + volume.intercept - low) * scale;
        grey = grey < 0 ? 0 : grey > 255 ? 255 : grey | 0;
        if (window.invert) grey = 255 - grey;
      }
      const label = labels ? labels[out] : 0;
      if (label === 0) {
        pixels[out] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
        continue;
      }
      const sum = seen.get(label);
      if (sum) { sum[0] += column; sum[1] += row; sum[2] += 1; } else seen.set(label, [column, row, 1]);
      const colour = overlay.colours, from = 3 * label;
      const red = grey + (colour[from] - grey) * opacity;
      const green = grey + (colour[from + 1] - grey) * opacity;
      const blue = grey + (colour[from + 2] - grey) * opacity;
      pixels[out] = 0xff000000 | ((blue | 0) << 16) | ((green | 0) << 8) | (red | 0);
    }
  }
  return seen;
}
