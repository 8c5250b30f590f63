// Antialiased interpolation, as torch's F.interpolate(..., antialias=True, align_corners=False) defines it.

import { planes } from "./planes.js";

/** @typedef {import("./planes.js").Planes} Planes */
/** @typedef {import("./planes.js").Size} Size */
/** @typedef {{first: Int32Array, count: Int32Array, weights: Float32Array, most: number}} Taps */

const CUBIC = -0.5; // the parameter of Keys' cubic that antialiasing takes

/** @param {number} x */
function cubic(x) {
  const at = Math.abs(x);
  if (at < 1) return ((CUBIC + 2) * at - (CUBIC + 3)) * at * at + 1;
  if (at < 2) return (((at - 5) * at + 8) * at - 4) * CUBIC;
  return 0;
}

/** @param {number} x */
function triangle(x) {
  return Math.max(0, 1 - Math.abs(x));
}

/**
 * For each place of the result the places it is made of, and their weights.
 * @param {number} from length of the source
 * @param {number} to length of the result
 * @param {(x: number) => number} kernel
 * @param {number} radius of the kernel
 * @returns {Taps}
 */
function taps(from, to, kernel, radius) {
  const scale = from / to;
  const shrink = Math.max(scale, 1);
  const support = radius * shrink;
  const most = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Float32Array(to * most);
  for (let i = 0; i < to; i++) {
    const center = scale * (i + 0.5);
    first[i] = Math.max(Math.trunc(center - support + 0.5), 0);
    count[i] = Math.min(Math.min(Math.trunc(center + support + 0.5), from) - first[i], most);
    let total = 0;
    for (let j = 0; j < count[i]; j++) {
      const weight = kernel((j + first[i] - center + 0.5) / shrink);
      weights[i * most + j] = weight;
      total += weight;
    }
    for (let j = 0; j < count[i]; j++) weights[i * most + j] /= total;
  }
  return { first, count, weights, most };
}

/**
 * @param {Planes} image
 * @param {Size} size
 * @param {(x: number) => number} kernel
 * @param {number} radius
 * @returns {Planes}
 */
function interpolated(image, size, kernel, radius) {
  const [height, width] = size;
  if (image.height === height && image.width === width) return { ...image, data: image.data.slice() };
  const across = taps(image.width, width, kernel, radius);
  const down = taps(image.height, height, kernel, radius);
  const made = planes(image.channels, height, width);
  const narrow = new Float32Array(image.height * width);
  for (let c = 0; c < image.channels; c++) {
    for (let y = 0; y < image.height; y++) {
      const row = (c * image.height + y) * image.width;
      for (let x = 0; x < width; x++) {
        const begin = row + across.first[x];
        let total = 0;
        for (let j = 0; j < across.count[x]; j++) total += image.data[begin + j] * across.weights[x * across.most + j];
        narrow[y * width + x] = total;
      }
    }
    for (let y = 0; y < height; y++) {
      const out = (c * height + y) * width;
      for (let j = 0; j < down.count[y]; j++) {
        const weight = down.weights[y * down.most + j];
        const row = (down.first[y] + j) * width;
        for (let x = 0; x < width; x++) made.data[out + x] += weight * narrow[row + x];
      }
    }
  }
  return made;
}

/**
 * By bicubic interpolation; may overshoot a little. A copy where the size is right already.
 * @param {Planes} image
 * @param {Size} size
 */
export function resize(image, size) {
  return interpolated(image, size, cubic, 2);
}

/**
 * A mask brought to size by linear interpolation, which does not overshoot.
 * @param {Planes} mask
 * @param {Size} size
 */
export function fittedMask(mask, size) {
  return interpolated(mask, size, triangle, 1);
}
