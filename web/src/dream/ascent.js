// From a gradient to a step: normalized ascent with momentum, and the room that is left below white and above black.

import { meanAbs } from "./planes.js";
import { shaped } from "./shaping.js";

/** @typedef {import("./planes.js").Planes} Planes */
/** @typedef {import("./shaping.js").Shaping} Shaping */
/** @typedef {{stepSize: number, momentum: number, headroom: number, shaping: Shaping}} Rule */

/**
 * The direction of the next step.
 * @param {Planes} gradient may be written over
 * @param {Planes | null} before the direction of the step before
 * @param {Rule} rule
 * @returns {Planes}
 */
export function directed(gradient, before, rule) {
  const direction = shaped(gradient, rule.shaping);
  if (!before || !rule.momentum) return direction;
  const { data } = direction;
  const strength = rule.shaping.normalize === "mean" ? 1 : meanAbs(data);
  for (let i = 0; i < data.length; i++) data[i] += rule.momentum * (before.data[i] - data[i]);
  const factor = strength / meanAbs(data);
  for (let i = 0; i < data.length; i++) data[i] *= factor;
  return direction;
}

/**
 * Move `image` one step along `direction`, in place, kept within 0..1.
 * @param {Planes} image
 * @param {Planes} direction
 * @param {Rule} rule
 * @param {Planes | null} mask one plane, 0..1: the share of each change that is made
 */
export function moved(image, direction, rule, mask) {
  const area = image.height * image.width;
  const values = image.data;
  for (let i = 0; i < area; i++) {
    const share = mask ? mask.data[i] : 1;
    if (share <= 0) continue;
    let factor = 1;
    if (rule.headroom) {
      // One factor for the channels of a pixel, so that a change keeps its color; each counts as much as it changes.
      let [room, total] = [0, 0];
      for (let at = i; at < values.length; at += area) {
        const size = Math.abs(direction.data[at]);
        const left = direction.data[at] > 0 ? 1 - values[at] : values[at];
        room += size * Math.min(2 * left, 1);
        total += size;
      }
      factor = 1 - rule.headroom * (1 - room / Math.max(total, 1e-12));
    }
    for (let at = i; at < values.length; at += area) {
      const wanted = values[at] + rule.stepSize * factor * direction.data[at];
      const held = wanted < 0 ? 0 : wanted > 1 ? 1 : wanted;
      values[at] += share * (held - values[at]);
    }
  }
}
