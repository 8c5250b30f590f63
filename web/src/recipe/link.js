// A recipe in the fragment of an address: #objective=owl&size=512. Fragments are never sent to a server.

import { changed, checked } from "./check.js";
import { Refused } from "./refused.js";

/** @typedef {import("./check.js").Fields} Fields */
/** @typedef {import("./check.js").Recipe} Recipe */

const LONGEST = 6000; // letters of a fragment

/**
 * @param {Recipe} recipe
 * @param {Fields} fields
 * @returns {string} the fragment without its #
 */
export function fragment(recipe, fields) {
  const values = Object.entries(changed(recipe, fields)).filter(([name]) => name !== "mask");
  return new URLSearchParams(values.map(([name, value]) => [name, String(value)])).toString();
}

/**
 * The recipe that a fragment means; `preset` names a look that the other values change.
 * @param {string} text with or without its #
 * @param {Fields} fields
 * @param {Record<string, {recipe: Recipe}>} presets
 * @returns {Recipe}
 */
export function linked(text, fields, presets) {
  const bare = text.replace(/^#/, "");
  if (bare.length > LONGEST) throw new Refused(`The link is longer than ${LONGEST} letters; it was not opened.`);
  /** @type {Record<string, unknown>} */
  const values = Object.create(null); // so that no name means something of its own
  let look = {};
  for (const [name, value] of new URLSearchParams(bare)) {
    if (name === "preset") {
      if (!Object.hasOwn(presets, value)) throw new Refused(`There is no look '${value.slice(0, 40)}' on this page.`);
      look = presets[value].recipe;
      continue;
    }
    if (name === "mask") throw new Refused("A link cannot bring a mask along; choose the mask yourself.");
    if (Object.hasOwn(values, name)) throw new Refused(`The link gives '${name.slice(0, 40)}' twice.`);
    values[name] = value;
  }
  return checked({ ...look, ...values }, fields);
}
