// The color of the result: as dreamt, the source's own, or the source's mean and contrast.

import { planes } from "./planes.js";

/** @typedef {import("./planes.js").Planes} Planes */

const LUMA = [0.299, 0.587, 0.114]; // Rec. 601

/**
 * `image` with the colors of `source`, of one size.
 * @param {Planes} image
 * @param {Planes} source
 * @param {"dream" | "source" | "locked"} color
 * @returns {Planes}
 */
export function recolored(image, source, color) {
  if (color === "dream") return image;
  const made = planes(3, image.height, image.width);
  const area = image.height * image.width;
  if (color === "source") {
    for (let i = 0; i < area; i++) {
      let light = 0;
      for (let c = 0; c < 3; c++) light += LUMA[c] * (image.data[c * area + i] - source.data[c * area + i]);
      for (let c = 0; c < 3; c++) made.data[c * area + i] = Math.min(1, Math.max(0, source.data[c * area + i] + light));
    }
    return made;
  }
  for (let c = 0; c < 3; c++) {
    const own = moments(image.data.subarray(c * area, (c + 1) * area));
    const wanted = moments(source.data.subarray(c * area, (c + 1) * area));
    const factor = wanted.deviation / Math.max(own.deviation, 1e-6);
    for (let i = c * area; i < (c + 1) * area; i++) {
      made.data[i] = Math.min(1, Math.max(0, (image.data[i] - own.mean) * factor + wanted.mean));
    }
  }
  return made;
}

/** @param {Float32Array} plane */
function moments(plane) {
  let mean = 0;
  for (const value of plane) mean += value / plane.length;
  let variance = 0;
  for (const value of plane) variance += (value - mean) ** 2 / plane.length;
  return { mean, deviation: Math.sqrt(variance) };
}
