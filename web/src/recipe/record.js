// What happened, as text inside the picture: what `reverie replay` reads.

/** @typedef {{role: string, path: string, sha256: string}} Asset */

/**
 * @param {import("./check.js").Recipe} recipe
 * @param {Asset[]} assets
 * @param {Record<string, string>} versions
 */
export function recordText(recipe, assets, versions) {
  const record = {
    reverie: 1,
    recipe,
    assets,
    device: "cpu",
    precision: "fp32",
    threads: 1,
    depth: 8,
    tile: "none",
    tile_mode: "exact",
    versions,
    part: 0,
  };
  return JSON.stringify(sorted(record));
}

/**
 * The recipe inside a record's text, null where there is none.
 * @param {string} text
 * @returns {Record<string, unknown> | null}
 */
export function recipeIn(text) {
  try {
    const found = JSON.parse(text);
    return found?.reverie === 1 && typeof found.recipe === "object" ? found.recipe : null;
  } catch {
    return null;
  }
}

/**
 * @param {any} value
 * @returns {any}
 */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

/**
 * SHA-256 in hex.
 * @param {ArrayBuffer} bytes
 */
export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (each) => each.toString(16).padStart(2, "0")).join("");
}
