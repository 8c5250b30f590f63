// Recipes from outside: every field known, every value within its range, or one sentence that says what is wrong.

import { Refused, nearest } from "./refused.js";

/** @typedef {Record<string, any>} Recipe */
/**
 * @typedef {object} Field what the Python model declares, as JSON schema
 * @property {any} default
 * @property {string} [type]
 * @property {any} [before] what was done before the field existed
 * @property {any[]} [enum]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {number} [exclusiveMinimum]
 * @property {number} [exclusiveMaximum]
 */
/** @typedef {Record<string, Field>} Fields */

const LONGEST = 2000; // letters of a text
export const LARGEST = 2048; // pixels of a side that this page dreams

/** Fields that may be a number or a list of them, one an octave: [least, most, whole]. */
const LISTS = { steps: [1, 10_000, true], step_size: [5e-324, 1000, false] };

/**
 * A recipe of all fields, out of some of them; values may be texts, as in a link.
 * @param {Record<string, unknown>} values
 * @param {Fields} fields
 * @returns {Recipe}
 */
export function checked(values, fields) {
  /** @type {Recipe} */
  const made = {};
  for (const [name, field] of Object.entries(fields)) made[name] = field.default;
  for (const [name, value] of Object.entries(values)) {
    if (!Object.hasOwn(fields, name)) {
      const near = nearest(name, Object.keys(fields));
      const remedy = near.length ? `did you mean '${near.join("' or '")}'?` : "the docs list all fields of a recipe.";
      throw new Refused(`There is no option '${shortened(name)}'; ${remedy}`);
    }
    made[name] = one(name, value, fields[name]);
  }
  return made;
}

/**
 * The values of a record with the fields that did not exist when it was written, at what then was done.
 * @param {Record<string, unknown>} values
 * @param {Fields} fields
 */
export function completed(values, fields) {
  const before = Object.entries(fields).filter(([, field]) => "before" in field);
  return { ...Object.fromEntries(before.map(([name, field]) => [name, field.before])), ...values };
}

/**
 * The fields that differ from their defaults.
 * @param {Recipe} recipe
 * @param {Fields} fields
 */
export function changed(recipe, fields) {
  return Object.fromEntries(
    Object.entries(recipe).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(fields[name].default)),
  );
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {Field} field
 */
function one(name, value, field) {
  const wrong = (/** @type {string} */ must) =>
    new Refused(`'${name}' must be ${must}, not '${shortened(String(value))}'.`);
  if (value === null || (value === "" && field.default === null)) {
    if (field.default === null) return null;
    throw wrong("given");
  }
  if (JSON.stringify(value) === JSON.stringify(field.default)) return value;
  if (name === "octaves") {
    if (value === "auto") return value;
    return number(value, 1, 64, true) ?? fail(wrong("'auto' or a whole number from 1 to 64"));
  }
  if (name === "size")
    return size(String(value)) ?? fail(wrong(`a long side or WIDTHxHEIGHT of 16 to ${LARGEST} pixels`));
  if (Object.hasOwn(LISTS, name)) {
    const [low, high, whole] = /** @type {[number, number, boolean]} */ (LISTS[/** @type {"steps"} */ (name)]);
    const parts = Array.isArray(value) ? value : String(value).split(",");
    const found = parts.map((each) => number(each, low, high, whole));
    const fits = found.length >= 1 && found.length <= 64 && found.every((each) => each !== null);
    if (!fits) throw wrong(`${whole ? "a whole number" : "a number"} up to ${high}, or one an octave`);
    return found.length > 1 ? found : found[0];
  }
  if (field.enum) return field.enum.includes(value) ? value : fail(wrong(field.enum.join(", ")));
  if (field.type === "integer" || field.type === "number") return ranged(value, field) ?? fail(wrong(span(field)));
  if (field.type === "array")
    throw new Refused(`This page cannot dream with '${name}'; use the command line for that.`);
  if (typeof value !== "string" || value.length > LONGEST) throw wrong(`a text of at most ${LONGEST} letters`);
  return value;
}

/**
 * @param {unknown} value
 * @param {Field} field
 */
function ranged(value, field) {
  const low = field.minimum ?? field.exclusiveMinimum ?? -Infinity;
  const high = Math.min(field.maximum ?? field.exclusiveMaximum ?? Infinity, Number.MAX_SAFE_INTEGER);
  const found = number(value, low, high, field.type === "integer");
  return found === field.exclusiveMinimum || found === field.exclusiveMaximum ? null : found;
}

/** @param {Field} field */
function span(field) {
  const kind = field.type === "integer" ? "a whole number" : "a number";
  const low =
    field.minimum !== undefined
      ? ` from ${field.minimum}`
      : field.exclusiveMinimum !== undefined
        ? ` above ${field.exclusiveMinimum}`
        : "";
  const high =
    field.maximum !== undefined
      ? ` to ${field.maximum}`
      : field.exclusiveMaximum !== undefined
        ? ` to below ${field.exclusiveMaximum}`
        : "";
  return kind + low + high;
}

/**
 * @param {unknown} value
 * @param {number} low
 * @param {number} high
 * @param {boolean} whole
 */
function number(value, low, high, whole) {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : "";
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return null;
  const found = Number(text);
  return Number.isFinite(found) && found >= low && found <= high && (!whole || Number.isInteger(found)) ? found : null;
}

/** @param {string} text */
function size(text) {
  const match = /^(\d{1,6})(?:x(\d{1,6}))?$/.exec(text.trim().toLowerCase());
  if (!match) return null;
  const sides = [match[1], match[2]].filter((each) => each !== undefined).map(Number);
  return sides.every((side) => side >= 16 && side <= LARGEST) ? sides.join("x") : null;
}

/**
 * @param {Error} error
 * @returns {never}
 */
function fail(error) {
  throw error;
}

/** @param {string} text */
function shortened(text) {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
