// What is being made: the wish, remembered between visits, with an undo; and what the server said at the start.

/** @typedef {import("./engine.js").Wish} Wish */
/** @typedef {import("./engine.js").Asset} Asset */

const KEPT = "reverie.wish";
const CHOICES = "reverie.choices";

/** @type {any} */
export const world = { schema: { recipe: [], run: [], dials: [] }, presets: [], networks: [], jobs: new Map(), paused: false };

/** @returns {Required<Wish> & {shown: Asset | null}} */
function fresh() {
  return { kind: "dream", source: null, preset: null, settings: {}, mask: null, guides: [], film: {}, run: {}, preview: false, shown: null };
}

/** @returns {ReturnType<typeof fresh>} */
function kept() {
  try {
    return { ...fresh(), ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
  } catch {
    return fresh();
  }
}

/** The wish that all pages share; `shown` is the source as the page shows it. */
export const wish = kept();

/** @type {string[]} */
const before = [];
/** @type {Set<(why: string) => void>} */
const listeners = new Set();

/** Be told of every change; gives what ends it. @param {(why: string) => void} listener */
export function follow(listener) {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

/**
 * Change the wish. @param {Partial<typeof wish>} values @param {{why?: string, undoable?: boolean}} [how]
 */
export function change(values, how = {}) {
  if (how.undoable !== false) {
    before.push(JSON.stringify(wish));
    if (before.length > 60) before.shift();
  }
  Object.assign(wish, values);
  told(how.why ?? "wish");
}

/** Set one field of the recipe; null takes it back to what the preset or the default says. @param {string} name @param {any} value */
export function set(name, value) {
  const settings = { ...wish.settings };
  if (value === null || value === undefined) delete settings[name];
  else settings[name] = value;
  change({ settings }, { why: `set ${name}` });
}

/** Take the last change back. */
export function undo() {
  const text = before.pop();
  if (!text) return false;
  Object.assign(wish, JSON.parse(text));
  told("undo");
  return true;
}

/** @param {string} why */
function told(why) {
  localStorage.setItem(KEPT, JSON.stringify(wish));
  for (const listener of [...listeners]) listener(why);
}

/** Small choices of the page itself, remembered too. @param {string} name @param {any} other */
export function choice(name, other) {
  try {
    return JSON.parse(localStorage.getItem(CHOICES) ?? "{}")[name] ?? other;
  } catch {
    return other;
  }
}

/** @param {string} name @param {any} value */
export function choose(name, value) {
  let all = {};
  try { all = JSON.parse(localStorage.getItem(CHOICES) ?? "{}"); } catch { /* begins anew */ }
  localStorage.setItem(CHOICES, JSON.stringify({ ...all, [name]: value }));
}

/** The preset that is chosen. @param {string | null} [name] */
export function preset(name = wish.preset) {
  return world.presets.find((/** @type {any} */ each) => each.name === name) ?? null;
}

/** What a field of the recipe is now: as set, as the preset has it, or its default. @param {string} name */
export function effective(name) {
  if (name in wish.settings) return wish.settings[name];
  const look = preset()?.settings ?? {};
  if (name in look) return look[name];
  return world.schema.recipe.find((/** @type {any} */ each) => each.name === name)?.default ?? (name === "network" ? world.automatic : "");
}

/** Choose a preset: what it says replaces what was set of it; `undo` brings that back. @param {string | null} name */
export function choosePreset(name) {
  const look = preset(name)?.settings ?? {};
  const settings = Object.fromEntries(Object.entries(wish.settings).filter(([field]) => !(field in look)));
  const replaced = Object.keys(wish.settings).length - Object.keys(settings).length;
  change({ preset: name, settings }, { why: "preset" });
  return replaced;
}

/** The wish as the server takes it. @param {Partial<Wish>} [over] @returns {Wish} */
export function asked(over = {}) {
  const { kind, source, preset: look, settings, mask, guides, run } = wish;
  const known = look === null || preset(look) ? look : null;
  const plain = guides.map(({ picture, layer, weight, mask: part }) => ({ picture, layer, weight, mask: part }));
  return { kind: "dream", source, preset: known, settings, mask: source ? mask : null, guides: plain, run, ...over, ...(kind === "noise" ? { source: null } : {}) };
}

/** Take over the settings of a picture; only those of `names` where given. @param {any} dream @param {string[] | null} [names] */
export function load(dream, names = null) {
  const from = dream.wish;
  if (names) {
    const some = Object.fromEntries(Object.entries(from.settings).filter(([name]) => names.includes(name)));
    change({ settings: { ...wish.settings, ...some } }, { why: "load" });
    return;
  }
  change({
    preset: null, settings: { ...from.settings }, mask: from.mask, guides: from.guides ?? [],
    ...(from.kind === "dream" ? {} : { film: { ...from.film, kind: from.kind } }),
  }, { why: "load" });
}

/** Dream into this picture from now on. @param {Asset | null} shown */
export function useSource(shown) {
  change({ source: shown?.id ?? null, shown, mask: null }, { why: "source" });
}
