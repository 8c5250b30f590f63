// Text inside PNG files: an iTXt chunk called "reverie", as the Python side writes and reads it.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const KEYWORD = "reverie";

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** @param {Uint8Array} bytes */
function crc(bytes) {
  let c = 0xffffffff;
  for (const byte of bytes) c = TABLE[(c ^ byte) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/**
 * The chunks of a PNG: kind, where the chunk begins, where its data begins and ends.
 * @param {Uint8Array} png
 */
function* chunks(png) {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let at = 8; at + 12 <= png.length;) {
    const length = view.getUint32(at);
    yield { kind: String.fromCharCode(...png.subarray(at + 4, at + 8)), at, from: at + 8, to: at + 8 + length };
    at += 12 + length;
  }
}

/**
 * The PNG with `text` inside, behind its header.
 * @param {Uint8Array} png
 * @param {string} text
 */
export function withText(png, text) {
  const body = new TextEncoder().encode(`iTXt${KEYWORD}\0\0\0\0\0${text}`);
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(4 + body.length, crc(body));
  const header = 8 + 25;
  const made = new Uint8Array(png.length + chunk.length);
  made.set(png.subarray(0, header));
  made.set(chunk, header);
  made.set(png.subarray(header), header + chunk.length);
  return made;
}

/**
 * The text inside, "" where there is none of ours.
 * @param {Uint8Array} png any file
 * @returns {Promise<string>}
 */
export async function textIn(png) {
  if (SIGNATURE.some((byte, at) => png[at] !== byte)) return "";
  const mark = `${KEYWORD}\0`;
  for (const { kind, from, to } of chunks(png)) {
    if (kind !== "iTXt" || String.fromCharCode(...png.subarray(from, from + mark.length)) !== mark) continue;
    const packed = png[from + mark.length] === 1;
    let at = from + mark.length + 2;
    for (let zeros = 0; zeros < 2; at++) if (png[at] === 0) zeros++;
    const data = png.slice(at, to);
    if (!packed) return new TextDecoder().decode(data);
    const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  }
  return "";
}
