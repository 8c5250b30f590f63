// Files of the page that were packed when it was built: fetched with progress, and unpacked.

import { unpacked } from "./lzma.js";

/** @typedef {{url: string, packing: "plain" | "lzma" | "planes", packed: number, size: number}} Packed
 * `packed` and `size` are bytes before and after unpacking */

/**
 * @param {Packed} file
 * @param {(bytes: number) => void} [arrived] told how many bytes have come so far
 * @returns {Promise<Uint8Array>}
 */
export async function fetched(file, arrived = () => {}) {
  const answer = await fetch(file.url);
  if (!answer.ok || !answer.body) throw new Error(`${file.url} did not arrive (${answer.status}).`);
  const raw = await gathered(answer.body, arrived);
  if (file.packing === "lzma") return unpacked(raw, file.size);
  if (file.packing === "planes") return joined(await gunzipped(raw));
  return raw;
}

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {(bytes: number) => void} arrived
 */
async function gathered(stream, arrived) {
  const parts = [];
  let total = 0;
  for (const reader = stream.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    total += value.length;
    arrived(total);
  }
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * Also where a server has unpacked it on the way.
 * @param {Uint8Array} bytes
 */
async function gunzipped(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([/** @type {BlobPart} */ (bytes)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * A file out of its even bytes followed by its odd ones: numbers of 16 bits pack better so.
 * @param {Uint8Array} halves
 */
function joined(halves) {
  const made = new Uint8Array(halves.length);
  const even = Math.ceil(halves.length / 2);
  for (let i = 0; i < even; i++) made[2 * i] = halves[i];
  for (let i = even; i < halves.length; i++) made[2 * (i - even) + 1] = halves[i];
  return made;
}
