// How a raw gradient becomes a direction worth walking: split into bands, evened out, made gray, made one strength.

import { meanAbs, mirroredIndex } from "./planes.js";

/** @typedef {import("./planes.js").Planes} Planes */
/** @typedef {"mean" | "std" | "standard" | "l2" | "max" | "sign" | "none"} Norm */
/** @typedef {{bands: number, fine: number, coarse: number, spread: number, gray: number, fineGray: number, normalize: Norm}}
 * Shaping
 * `bands` equally strong frequency bands, `fine` and `coarse` the strengths of the finest and of what lies below all;
 * `spread` 0..1 evens out strong and calm places; `gray` 0..1 of the gradient changes light alone. */

const NEIGHBORHOOD = 8; // pixels each way within which the finest band is evened out; twice that in the next
const EPSILON = 1e-12;

/**
 * The direction of a step; `gradient` may be written over.
 * @param {Planes} gradient
 * @param {Shaping} shaping
 * @returns {Planes}
 */
export function shaped(gradient, shaping) {
  const formed = shaping.bands ? evened(gradient, shaping) : gradient;
  if (shaping.gray) grayed(formed, shaping.gray);
  return normalized(formed, shaping.normalize);
}

/**
 * A filter of five symmetric taps, mirrored at the borders, down and then across.
 * @param {Planes} image
 * @param {[number, number, number]} taps weight of the middle, of the neighbors, of those behind
 * @param {number} gap pixels between taps
 * @returns {Planes}
 */
function filtered(image, [middle, near, far], gap) {
  const { channels, height, width } = image;
  const from = image.data;
  const down = new Float32Array(width + 4 * gap); // a row, with what lies beyond its ends
  const made = new Float32Array(from.length);
  const left = Int32Array.from({ length: 2 * gap }, (_, at) => mirroredIndex(at - 2 * gap, width));
  const right = Int32Array.from({ length: 2 * gap }, (_, at) => mirroredIndex(width + at, width));
  for (let c = 0; c < channels; c++) {
    const plane = c * height * width;
    for (let y = 0; y < height; y++) {
      const row = plane + y * width;
      const [a, b, d, e] = [-2, -1, 1, 2].map((step) => plane + mirroredIndex(y + step * gap, height) * width);
      for (let x = 0; x < width; x++) {
        down[x + 2 * gap] =
          middle * from[row + x] + near * (from[b + x] + from[d + x]) + far * (from[a + x] + from[e + x]);
      }
      for (let x = 0; x < 2 * gap; x++) {
        down[x] = down[2 * gap + left[x]];
        down[2 * gap + width + x] = down[2 * gap + right[x]];
      }
      for (let x = 0; x < width; x++) {
        const pair = down[x + gap] + down[x + 3 * gap];
        made[row + x] = middle * down[x + 2 * gap] + near * pair + far * (down[x] + down[x + 4 * gap]);
      }
    }
  }
  return { ...image, data: made };
}

/**
 * The sum of all bands, each made one strength; bands keep every pixel (Burt & Adelson 1983, never decimated).
 * @param {Planes} gradient
 * @param {Shaping} shaping
 * @returns {Planes}
 */
function evened(gradient, shaping) {
  const short = Math.min(gradient.height, gradient.width);
  let levels = 0;
  while (levels < shaping.bands && short >= 8 << levels) levels++;
  // What alternates from pixel to pixel is left out: strides would weave it into a fine grid.
  let rest = filtered(gradient, [0.5, 0.25, 0], 1);
  const total = { ...gradient, data: new Float32Array(gradient.data.length) };
  for (let level = 0; level < levels; level++) {
    const low = filtered(rest, [6 / 16, 4 / 16, 1 / 16], 1 << level);
    for (let i = 0; i < rest.data.length; i++) rest.data[i] -= low.data[i];
    const share = shaping.fineGray * (1 - level / levels);
    if (share) grayed(rest, share);
    add(total, rest, level, level ? 1 : shaping.fine, shaping.spread);
    rest = low;
  }
  add(total, rest, levels, levels ? shaping.coarse : 1, shaping.spread);
  return total;
}

/**
 * Add a band to the `total`, `strength` strong.
 * @param {Planes} total
 * @param {Planes} band
 * @param {number} level
 * @param {number} strength
 * @param {number} spread
 */
function add(total, band, level, strength, spread) {
  let energy = 0;
  for (let i = 0; i < band.data.length; i++) energy += band.data[i] * band.data[i];
  const whole = Math.max(Math.sqrt(energy / band.data.length), EPSILON);
  const area = band.height * band.width;
  const factor = new Float32Array(area).fill(strength / whole);
  if (spread) {
    const local = localRms(band, NEIGHBORHOOD << level);
    const common = whole ** (1 - spread);
    // A floor of the whole's strength: where there is next to nothing, noise must not be raised.
    for (let i = 0; i < area; i++) {
      const felt = Math.max(local[i], 0.05 * whole);
      factor[i] = strength / ((spread === 0.5 ? Math.sqrt(felt) : felt ** spread) * common);
    }
  }
  for (let c = 0; c < band.channels; c++) {
    const plane = c * area;
    for (let i = 0; i < area; i++) total.data[plane + i] += band.data[plane + i] * factor[i];
  }
}

/**
 * Root mean square over channels and the square of `2 * reach + 1` pixels around each pixel.
 * @param {Planes} band
 * @param {number} reach
 */
export function localRms(band, reach) {
  const { channels, height, width } = band;
  const area = height * width;
  const energy = new Float64Array(area);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < area; i++) energy[i] += band.data[c * area + i] ** 2 / channels;
  }
  const rows = Math.min(reach, (height - 1) >> 1);
  const before = new Float64Array((height + 1) * width); // sums of all rows above
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) before[(y + 1) * width + x] = before[y * width + x] + energy[y * width + x];
  }
  for (let y = 0; y < height; y++) {
    const last = Math.min(y + rows + 1, height);
    const first = Math.max(y - rows, 0);
    for (let x = 0; x < width; x++) {
      energy[y * width + x] = (before[last * width + x] - before[first * width + x]) / (last - first);
    }
  }
  const columns = Math.min(reach, (width - 1) >> 1);
  const line = new Float64Array(width + 1);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let x = 0; x < width; x++) line[x + 1] = line[x] + energy[row + x];
    for (let x = 0; x < width; x++) {
      const last = Math.min(x + columns + 1, width);
      const first = Math.max(x - columns, 0);
      energy[row + x] = Math.sqrt(Math.max(0, (line[last] - line[first]) / (last - first)));
    }
  }
  return energy;
}

/**
 * In place.
 * @param {Planes} g
 * @param {number} share
 */
function grayed(g, share) {
  const area = g.height * g.width;
  for (let i = 0; i < area; i++) {
    let mean = 0;
    for (let c = 0; c < g.channels; c++) mean += g.data[c * area + i] / g.channels;
    for (let c = 0; c < g.channels; c++) g.data[c * area + i] += share * (mean - g.data[c * area + i]);
  }
}

/**
 * `g` with the named measure of it made 1, in place.
 * @param {Planes} g
 * @param {Norm} norm
 */
function normalized(g, norm) {
  const { data } = g;
  if (norm === "none") return g;
  if (norm === "sign") {
    for (let i = 0; i < data.length; i++) data[i] = Math.sign(data[i]);
    return g;
  }
  let [sum, squares, largest] = [0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    sum += data[i];
    squares += data[i] * data[i];
    largest = Math.max(largest, Math.abs(data[i]));
  }
  const mean = sum / data.length;
  let scale = norm === "mean" ? meanAbs(data) : norm === "max" ? largest : Math.sqrt(squares);
  if (norm === "std" || norm === "standard") {
    let variance = 0;
    for (let i = 0; i < data.length; i++) variance += (data[i] - mean) ** 2 / data.length;
    // Of a gradient that is equal everywhere rounding is all that deviates; it must not be raised.
    scale = Math.max(Math.sqrt(variance), 1e-3 * Math.sqrt(squares / data.length));
  }
  const away = norm === "standard" ? mean : 0;
  scale = Math.max(scale, EPSILON);
  for (let i = 0; i < data.length; i++) data[i] = (data[i] - away) / scale;
  return g;
}
