// Many dreams at once: variations, an X/Y grid over two settings, a folder, all presets over one picture.

import { button, dialog, h, shown, toast } from "./dom.js";
import { engine } from "./engine.js";
import { pick } from "./sources.js";
import { asked, effective, wish, world } from "./state.js";

/** @param {any[]} wishes @param {any} grouping @param {(() => void) | null} close */
async function start(wishes, grouping, close) {
  const jobs = await engine.start(wishes, grouping);
  close?.();
  for (const job of jobs) world.jobs.set(job.id, job);
  location.hash = `#/group/${jobs[0].grouping.id}`;
}

export function manyTools() {
  const close = dialog("More ways", [variations(() => close()), grid(() => close()), presets(() => close()), batch(() => close())], [], {});
}

/** @param {() => void} close */
function variations(close) {
  const count = h("input", { type: "number", min: 2, max: 64, value: 4, "aria-label": "How many variations", style: "width:90px" });
  return part("Variations", "The same dream from other seeds.", h("div", { class: "row" }, count, button("Dream them", () => {
    const first = Number(effective("seed")) || 0, many = Math.max(2, Math.min(64, Number(count.value) || 4));
    const seeds = Array.from({ length: many }, (_, at) => first + at);
    const wishes = seeds.map((seed) => asked({ settings: { ...wish.settings, seed } }));
    return start(wishes, { kind: "variations", x: { name: "seed", values: seeds } }, close);
  }, { class: "primary" })));
}

/** @param {() => void} close */
function grid(close) {
  const fields = [...world.schema.recipe, { name: "objective", label: "Objective", default: "" }, { name: "preset", label: "Preset", default: "" }];
  const axis = (/** @type {string} */ label, /** @type {string} */ first, /** @type {string} */ values) => {
    const select = h("select", { "aria-label": `Setting along ${label}`, "data-axis": label }, fields.map((/** @type {any} */ each) => h("option", { value: each.name }, each.label)));
    select.value = fields.some((/** @type {any} */ each) => each.name === first) ? first : fields[0].name;
    const text = h("input", { type: "text", value: values, "aria-label": `Values along ${label}, separated by commas`, "data-values": label });
    return { select, text, root: h("div", { class: "row" }, h("strong", { style: "width:18px" }, label), h("div", { style: "flex:1 1 150px" }, select), h("div", { style: "flex:2 1 180px" }, text)),
      read: () => ({ name: select.value, values: text.value.split(select.value === "objective" ? ";" : ",").map((/** @type {string} */ each) => each.trim()).filter(Boolean).map(plain) }) };
  };
  const x = axis("X", world.schema.dials[0] ?? "step_size", suggested(world.schema.dials[0] ?? "step_size")), y = axis("Y", "seed", "0, 1, 2");
  for (const each of [x, y]) each.select.addEventListener("change", () => { each.text.value = suggested(each.select.value); });
  return part("X/Y grid", "One setting across, one down; values are separated by commas (objectives by semicolons).", x.root, y.root, h("div", { class: "row" }, button("Dream the grid", () => {
    const across = x.read(), down = y.read();
    if (!across.values.length || !down.values.length) throw new Error("Each side of the grid needs a value.");
    if (across.values.length * down.values.length > 400) throw new Error("A grid has at most 400 pictures.");
    if (across.name === down.name) throw new Error("The two sides of a grid need different settings.");
    const wishes = down.values.flatMap((/** @type {any} */ b) => across.values.map((/** @type {any} */ a) => {
      const settings = { ...wish.settings };
      let preset = asked().preset;
      for (const [name, value] of [[across.name, a], [down.name, b]]) if (name === "preset") preset = value; else settings[name] = value;
      return asked({ settings, preset });
    }));
    return start(wishes, { kind: "grid", x: across, y: down }, close);
  }, { class: "primary", "data-act": "grid" })));
}

/** @param {string} name */
function suggested(name) {
  const field = world.schema.recipe.find((/** @type {any} */ each) => each.name === name);
  if (name === "preset") return world.presets.filter((/** @type {any} */ each) => each.ready).slice(0, 4).map((/** @type {any} */ each) => each.name).join(", ");
  if (name === "objective") return "owl; rose";
  if (field?.kind === "choice") return field.choices.join(", ");
  const now = Number(effective(name));
  if (field?.kind === "number" && Number.isFinite(now)) {
    const low = field.minimum ?? now / 2, high = field.maximum ?? now * 2, clip = (/** @type {number} */ each) => shown(Math.max(low, Math.min(high, field.whole ? Math.round(each) : Number(each.toPrecision(3)))));
    return [...new Set(now ? [clip(now / 2), clip(now), clip(now * 2)] : [clip(0), clip((high - low) / 4 + low), clip((high - low) / 2 + low)])].join(", ");
  }
  return shown(effective(name)) === "–" ? "" : String(effective(name));
}

/** @param {string} text */
function plain(text) { return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text; }

/** @param {() => void} close */
function presets(close) {
  const ready = world.presets.filter((/** @type {any} */ each) => each.ready);
  return part("All presets", `This picture in every look that can dream here: ${ready.length} of them.`, h("div", { class: "row" }, button("Dream them all", () => {
    const size = wish.settings.size ? { size: wish.settings.size } : {};
    const wishes = ready.map((/** @type {any} */ each) => asked({ preset: each.name, settings: size }));
    return start(wishes, { kind: "presets", x: { name: "preset", values: ready.map((/** @type {any} */ each) => each.name) } }, close);
  }, { class: "primary" })));
}

/** @param {() => void} close */
function batch(close) {
  return part("A folder", "These settings on many pictures.", h("div", { class: "row" },
    button("Choose pictures", async () => { const files = await pick("image/*", true); if (files.length) { close(); await folder(files); } }, { class: "primary" })));
}

/** Dream the same settings into many files. @param {File[]} files */
export async function folder(files) {
  const sources = [];
  for (const [at, file] of files.entries()) {
    toast(`Reads ${at + 1} of ${files.length}`);
    try {
      sources.push(await engine.upload(file, "source", file.name));
    } catch (error) {
      toast(`${file.name}: ${error instanceof Error ? error.message : error}`, null, "wrong");
    }
  }
  if (!sources.length) return;
  const wishes = sources.map((each) => asked({ source: each.id, mask: null }));
  await start(wishes, { kind: "folder", x: { name: "source", values: sources.map((each) => each.title) } }, null);
}

/** @param {string} title @param {string} about @param {...any} inside */
function part(title, about, ...inside) {
  return h("section", { class: "tile", "aria-label": title }, h("h2", {}, title), h("p", { class: "small soft" }, about), inside);
}
