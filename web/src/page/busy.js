// Something long is under way: Stop stands in the place of Dream, and what goes wrong is told.

import { at, told } from "./dom.js";

/** @type {AbortController | null} */
let busy = null;

/** What is under way, null where nothing is. */
export function underway() {
  return busy;
}

/**
 * @param {() => Promise<unknown>} work
 */
export async function guarded(work) {
  const mine = new AbortController();
  busy = mine;
  shown();
  told("message", "");
  try {
    await work();
  } catch (error) {
    told("message", /** @type {Error} */ (error).message);
  } finally {
    if (busy === mine) busy = null;
    shown();
  }
}

function shown() {
  at("dream").hidden = busy !== null;
  at("stop").hidden = busy === null;
  if (!busy) at("progress").hidden = true;
}
