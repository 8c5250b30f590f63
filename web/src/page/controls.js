// The settings: a recipe on one side, the form on the other.

import { checked } from "../recipe/check.js";
import { at, chip, told } from "./dom.js";
import { SMALL_DEVICE } from "./source.js";

/** @typedef {import("../recipe/check.js").Recipe} Recipe */
/**
 * @typedef {object} Page what data/page.json says
 * @property {any} fields of a recipe
 * @property {Record<string, {about: string, recipe: Recipe}>} presets
 * @property {any[]} networks
 * @property {any} runtimes
 * @property {string} version
 * @property {string} runtime
 */

const SLIDERS = [
  "strength",
  "realism",
  "step_size",
  "steps",
  "smallest",
  "spread",
  "fine",
  "variation",
  "momentum",
  "blend",
];
const PLAIN = ["objective", "color", "seed", "network", "size"];
const SIZES = SMALL_DEVICE ? [256, 384, 512, 640] : [256, 384, 512, 640, 768, 1024, 1536];

export class Controls {
  /**
   * @param {Page} page
   * @param {() => void} onChange told when the recipe changes by hand
   */
  constructor(page, onChange) {
    this.page = page;
    this.onChange = onChange;
    this.sliders = SLIDERS.filter((name) => name in page.fields);
    /** @type {Recipe} */
    this.recipe = checked({ size: "512" }, page.fields);
    this.look = "";
    this.#fill();
  }

  #fill() {
    const looks = at("looks");
    for (const [name, { about }] of Object.entries(this.page.presets))
      looks.append(chip(name, () => this.choose(name), about));
    const size = /** @type {HTMLSelectElement} */ (at("size"));
    for (const each of SIZES) size.add(new Option(`${each} px`, String(each)));
    const network = /** @type {HTMLSelectElement} */ (at("network"));
    for (const { name, about } of this.page.networks) network.add(new Option(name, name));
    for (const name of SLIDERS) {
      /** @type {HTMLElement} */ (at(name).parentElement).hidden = !this.sliders.includes(name);
    }
    for (const name of this.sliders) {
      const slider = /** @type {HTMLInputElement} */ (at(name));
      slider.addEventListener("input", () => this.#typed(name, Number(slider.value)));
    }
    for (const name of PLAIN) {
      const input = /** @type {HTMLInputElement} */ (at(name));
      input.addEventListener("change", () =>
        this.#typed(name, name === "seed" ? Number(input.value || 0) : input.value),
      );
    }
    at("search").addEventListener("input", () => this.names());
    this.show();
  }

  /**
   * @param {string} name of a field
   * @param {any} value
   */
  #typed(name, value) {
    const values = { ...this.recipe, [name]: value };
    if (name === "network") values.objective = "";
    try {
      this.recipe = checked(values, this.page.fields);
      told("message", "");
    } catch (error) {
      told("message", /** @type {Error} */ (error).message);
      return;
    }
    this.show();
    this.onChange();
  }

  /**
   * Take the fields of a preset; size, seed and mask stay.
   * @param {string} name
   */
  choose(name) {
    const { size, seed, mask } = this.recipe;
    this.recipe = checked({ ...this.page.presets[name].recipe, size, seed, mask }, this.page.fields);
    this.look = name;
    told("message", "");
    this.show();
    this.onChange();
  }

  /**
   * Take a whole recipe.
   * @param {Recipe} recipe
   */
  take(recipe) {
    this.recipe = recipe;
    this.look = "";
    this.show();
  }

  /** The form as the recipe says. */
  show() {
    for (const name of this.sliders) this.#slide(name);
    for (const name of PLAIN) {
      const input = /** @type {HTMLInputElement} */ (at(name));
      const value = String(this.recipe[name] ?? "");
      if (input instanceof HTMLSelectElement && ![...input.options].some((each) => each.value === value)) {
        input.add(new Option(value || "as it is", value));
      }
      input.value = value;
    }
    for (const each of at("looks").children) each.setAttribute("aria-pressed", String(each.textContent === this.look));
    at("about").textContent = this.look ? this.page.presets[this.look].about : "";
    const network = this.page.networks.find(({ name }) => name === this.recipe.network);
    /** @type {HTMLInputElement} */ (at("objective")).placeholder = this.manifest?.objective ?? "";
    at("network").title = network?.about ?? "";
    this.names();
  }

  /** @param {string} name */
  #slide(name) {
    const value = this.recipe[name];
    const slider = /** @type {HTMLInputElement} */ (at(name));
    slider.disabled = Array.isArray(value);
    if (!slider.disabled) slider.value = String(value);
    const output = slider.parentElement?.querySelector("output");
    if (output)
      output.textContent = slider.disabled ? value.join(", ") : name === "smallest" ? `${value} px` : String(value);
  }

  /**
   * What the network of the recipe knows; its names are offered.
   * @param {any} manifest
   */
  know(manifest) {
    this.manifest = manifest;
    this.show();
  }

  /** The classes and layers that fit the search. */
  names() {
    const place = at("found");
    place.replaceChildren();
    if (!this.manifest) return;
    const wanted = /** @type {HTMLInputElement} */ (at("search")).value.trim().toLowerCase().replaceAll("_", " ");
    const labels = this.manifest.labels.map((/** @type {string} */ label) => label.split(",")[0].trim());
    const all = [...this.manifest.layers.map((/** @type {any} */ layer) => layer.name), ...labels];
    const fits = all.filter((name) => name.toLowerCase().replaceAll("_", " ").includes(wanted)).slice(0, 160);
    for (const name of fits) place.append(chip(name, () => this.#add(name)));
    if (!fits.length) place.append("Nothing is called so.");
  }

  /** @param {string} name */
  #add(name) {
    const word = /^[\w.]+$/.test(name) ? name : `"${name}"`;
    const now = this.recipe.objective.trim();
    this.look = "";
    this.#typed("objective", now ? `${now} + ${word}` : word);
  }
}
