// A picture as numbers: some planes of height x width floats, 0..1 where they are colors.

/** @typedef {{channels: number, height: number, width: number, data: Float32Array}} Planes */
/** @typedef {[number, number]} Size (height, width) in pixels */

/**
 * @param {number} channels
 * @param {number} height
 * @param {number} width
 * @param {Float32Array} [data]
 * @returns {Planes}
 */
export function planes(channels, height, width, data = new Float32Array(channels * height * width)) {
  return { channels, height, width, data };
}

/**
 * @param {Planes} image
 * @returns {Planes}
 */
export function copied(image) {
  return { ...image, data: image.data.slice() };
}

/**
 * The colors of RGBA bytes.
 * @param {Uint8ClampedArray} bytes
 * @param {number} height
 * @param {number} width
 * @returns {Planes}
 */
export function ofBytes(bytes, height, width) {
  const made = planes(3, height, width);
  const area = height * width;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) made.data[c * area + i] = bytes[4 * i + c] / 255;
  }
  return made;
}

/**
 * RGBA bytes of three planes; the array rounds and clamps.
 * @param {Planes} image in 0..1
 * @param {Uint8ClampedArray | null} [alpha] one byte a pixel; opaque where null
 */
export function toBytes(image, alpha = null) {
  const area = image.height * image.width;
  const bytes = new Uint8ClampedArray(4 * area);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) bytes[4 * i + c] = image.data[c * area + i] * 255;
    bytes[4 * i + 3] = alpha ? alpha[i] : 255;
  }
  return bytes;
}

/**
 * In place.
 * @param {Planes} image
 */
export function clamped(image) {
  const { data } = image;
  for (let i = 0; i < data.length; i++) data[i] = data[i] < 0 ? 0 : data[i] > 1 ? 1 : data[i];
  return image;
}

/**
 * Mean absolute value, not 0.
 * @param {Float32Array} data
 */
export function meanAbs(data) {
  let total = 0;
  for (let i = 0; i < data.length; i++) total += Math.abs(data[i]);
  return Math.max(total / data.length, 1e-12);
}

/**
 * Where place `at` of a side mirrored at both ends lies within it.
 * @param {number} at
 * @param {number} length
 */
export function mirroredIndex(at, length) {
  const period = Math.max(1, 2 * (length - 1));
  const inside = ((at % period) + period) % period;
  return Math.min(inside, period - inside, length - 1);
}

/**
 * The largest centered part that has the shape of `size`.
 * @param {Planes} image
 * @param {Size} size
 * @returns {Planes}
 */
export function cropped(image, size) {
  const scale = Math.min(image.height / size[0], image.width / size[1]);
  const height = Math.max(1, Math.min(image.height, pythonRound(size[0] * scale)));
  const width = Math.max(1, Math.min(image.width, pythonRound(size[1] * scale)));
  const top = Math.floor((image.height - height) / 2);
  const left = Math.floor((image.width - width) / 2);
  if (height === image.height && width === image.width) return image;
  const made = planes(image.channels, height, width);
  for (let c = 0; c < image.channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * image.height + top + y) * image.width + left;
      made.data.set(image.data.subarray(from, from + width), (c * height + y) * width);
    }
  }
  return made;
}

/**
 * Python's round: halves go to the even neighbor.
 * @param {number} x
 */
export function pythonRound(x) {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
