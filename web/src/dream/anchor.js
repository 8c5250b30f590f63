// A dream held to the light, the colors and the large forms of its source, and the patches by which a seed varies it.

import { clamped, mirroredIndex, planes, pythonRound } from "./planes.js";
import { resize } from "./resize.js";

/** @typedef {import("./planes.js").Planes} Planes */
/** @typedef {import("./planes.js").Size} Size */

const SIGMA = 1.5; // pixels of the small pictures that are compared
const LONGEST = 4096;
const PATCH = 0.15; // of the short side
const REACH = Math.round(3 * SIGMA);

/**
 * Draw `image` back to `source`, of one size; a new picture. Light by the share `realism`, color by 1.4 times that share,
 * in all that is coarser than a dream may change.
 * @param {Planes} image
 * @param {Planes} source
 * @param {number} realism 0..1
 * @param {Planes | null} mask
 * @returns {Planes}
 */
export function held(image, source, realism, mask) {
  const size = /** @type {Size} */ ([image.height, image.width]);
  const short = SIGMA * (12 + 100 * realism ** 3);
  const factor = Math.min(1, short / Math.min(...size), LONGEST / Math.max(...size));
  const small = /** @type {Size} */ (size.map((side) => Math.max(1, pythonRound(side * factor))));
  const lost = resize(source, small);
  const now = resize(image, small);
  for (let i = 0; i < lost.data.length; i++) lost.data[i] -= now.data[i];
  const change = blurred(lost);
  const area = small[0] * small[1];
  const color = Math.min(1, 1.4 * realism);
  for (let i = 0; i < area; i++) {
    const light = (change.data[i] + change.data[area + i] + change.data[2 * area + i]) / 3;
    for (let c = 0; c < 3; c++) {
      const at = c * area + i;
      change.data[at] = realism * light + color * (change.data[at] - light);
    }
  }
  const back = resize(change, size);
  const whole = size[0] * size[1];
  for (let i = 0; i < back.data.length; i++) {
    back.data[i] = image.data[i] + back.data[i] * (mask ? mask.data[i % whole] : 1);
  }
  return clamped(back);
}

/**
 * Under a Gaussian, mirrored at the borders.
 * @param {Planes} x
 * @returns {Planes}
 */
function blurred(x) {
  const taps = Float32Array.from({ length: 2 * REACH + 1 }, (_, at) => Math.exp(-((at - REACH) ** 2) / (2 * SIGMA ** 2)));
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  const down = planes(x.channels, x.height, x.width);
  const made = planes(x.channels, x.height, x.width);
  for (let c = 0; c < x.channels; c++) {
    const plane = c * x.height * x.width;
    for (let y = 0; y < x.height; y++) {
      for (let tap = -REACH; tap <= REACH; tap++) {
        const row = plane + mirroredIndex(y + tap, x.height) * x.width;
        const weight = taps[tap + REACH] / total;
        for (let i = 0; i < x.width; i++) down.data[plane + y * x.width + i] += weight * x.data[row + i];
      }
    }
    for (let i = 0; i < x.width; i++) {
      for (let tap = -REACH; tap <= REACH; tap++) {
        const from = plane + mirroredIndex(i + tap, x.width);
        const weight = taps[tap + REACH] / total;
        for (let y = 0; y < x.height; y++) made.data[plane + y * x.width + i] += weight * down.data[from + y * x.width];
      }
    }
  }
  return made;
}

/**
 * What the seed adds to the picture that the first octave begins with; taken away again in what is shown.
 * @param {Planes} begun
 * @param {number} variation deviation
 * @param {import("./random.js").Generator} generator
 * @param {Planes | null} mask
 * @returns {Planes}
 */
export function patches(begun, variation, generator, mask) {
  const short = Math.min(begun.height, begun.width);
  const sides = [begun.height, begun.width].map((side) => {
    return Math.min(Math.max(2, pythonRound(side / (PATCH * short))), LONGEST);
  });
  const drawn = planes(3, sides[0], sides[1], generator.normals(3 * sides[0] * sides[1]));
  const made = resize(drawn, [begun.height, begun.width]);
  const area = begun.height * begun.width;
  for (let i = 0; i < made.data.length; i++) {
    const wanted = begun.data[i] + (mask && mask.data[i % area] <= 0 ? 0 : variation * made.data[i]);
    made.data[i] = Math.min(1, Math.max(0, wanted)) - begun.data[i];
  }
  return made;
}
