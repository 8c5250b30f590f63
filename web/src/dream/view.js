// What the network is shown of a picture at one step, and the way back of the gradient.

import { mirroredIndex, planes } from "./planes.js";

/** @typedef {import("./planes.js").Planes} Planes */
/** @typedef {import("./random.js").Generator} Generator */
/** @typedef {{margin: number, shift: number, least: number, multiple: number}} Viewing
 * `margin` pixels of mirrored surrounding at least, `shift` the largest random shift; sides reach `least` pixels and
 * are rounded up to a `multiple`. Without a margin the shift is circular. */
/** @typedef {{rows: Int32Array, columns: Int32Array}} View for each row and column of the view that of the picture */

/**
 * Draw a view, with two numbers of the generator where there is a shift.
 * @param {Viewing} how
 * @param {number} height
 * @param {number} width
 * @param {Generator} generator
 * @returns {View}
 */
export function drawn(how, height, width, generator) {
  const [dy, dx] = how.shift ? generator.integers(-how.shift, how.shift + 1, 2) : [0, 0];
  if (how.margin) return { rows: mirrored(how, height, dy), columns: mirrored(how, width, dx) };
  return { rows: rolled(how, height, dy), columns: rolled(how, width, dx) };
}

/**
 * A side of the picture inside its mirrored surrounding.
 * @param {Viewing} how
 * @param {number} side
 * @param {number} moved
 */
function mirrored(how, side, moved) {
  const least = Math.max(side + 2 * (how.margin + how.shift), how.least);
  const whole = Math.ceil(least / how.multiple) * how.multiple;
  const before = Math.floor((whole - side) / 2) + moved;
  return Int32Array.from({ length: whole }, (_, at) => mirroredIndex(at - before, side));
}

/**
 * The classic shift, in which opposite edges meet.
 * @param {Viewing} how
 * @param {number} side
 * @param {number} moved
 */
function rolled(how, side, moved) {
  const whole = Math.max(side, how.least);
  const before = Math.floor((whole - side) / 2);
  return Int32Array.from({ length: whole }, (_, at) => {
    const from = (((at - moved) % whole) + whole) % whole;
    return mirroredIndex(from - before, side);
  });
}

/**
 * @param {Planes} image
 * @param {View} view
 * @returns {Planes}
 */
export function shown(image, view) {
  const made = planes(image.channels, view.rows.length, view.columns.length);
  let at = 0;
  for (let c = 0; c < image.channels; c++) {
    for (const y of view.rows) {
      const row = (c * image.height + y) * image.width;
      for (let x = 0; x < view.columns.length; x++) made.data[at++] = image.data[row + view.columns[x]];
    }
  }
  return made;
}

/**
 * A gradient of the view as one of the picture: what a pixel is shown as several times adds up.
 * @param {Float32Array} gradient
 * @param {View} view
 * @param {Planes} like the picture, for its shape
 * @returns {Planes}
 */
export function pulledBack(gradient, view, like) {
  const made = planes(like.channels, like.height, like.width);
  let at = 0;
  for (let c = 0; c < like.channels; c++) {
    for (const y of view.rows) {
      const row = (c * like.height + y) * like.width;
      for (let x = 0; x < view.columns.length; x++) made.data[row + view.columns[x]] += gradient[at++];
    }
  }
  return made;
}
