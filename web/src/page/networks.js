// The networks of this page, and where the worker finds their files.

import { Refused } from "../recipe/refused.js";

/** @typedef {import("./controls.js").Page} Page */

export class Networks {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    /** @type {Map<string, Promise<any>>} */
    this.manifests = new Map();
  }

  /** @param {string} name */
  #files(name) {
    return this.page.networks.find((each) => each.name === name) ?? this.page.networks[0];
  }

  /**
   * What stands beside a network's graph: its layers, classes, hashes.
   * @param {string} name
   * @returns {Promise<any>}
   */
  manifest(name) {
    const files = this.#files(name);
    let found = this.manifests.get(files.name);
    if (!found) {
      found = fetch(address(files.manifest)).then((answer) => answer.json());
      found.catch(() => this.manifests.delete(files.name)); // asked for again
      this.manifests.set(files.name, found);
    }
    return found;
  }

  /**
   * A recipe from outside with a network and a size of this page.
   * @param {any} recipe
   */
  onPage(recipe) {
    const names = this.page.networks.map(({ name }) => name);
    const network = recipe.network === "auto" ? names[0] : recipe.network;
    if (!names.includes(network)) {
      throw new Refused(
        `The network '${String(network).slice(0, 40)}' is not on this page, which has ${names.join(" and ")}.`,
      );
    }
    return { ...recipe, network, size: recipe.size ?? "512" };
  }

  /**
   * How the worker is to compute: with WebGPU where the browser has it, unless the address says ?engine=wasm.
   * @param {string} network
   * @returns {import("../engine/worker.js").Setting}
   */
  setting(network) {
    const runtimes = Object.fromEntries(
      Object.entries(this.page.runtimes).map(([kind, { module, wasm }]) => [
        kind,
        { module: address(module), wasm: { ...wasm, url: address(wasm.url) } },
      ]),
    );
    const { name, graph, manifest } = this.#files(network);
    const wanted = new URLSearchParams(location.search).get("engine");
    return {
      runtimes: /** @type {any} */ (runtimes),
      network: { name, graph: { ...graph, url: address(graph.url) }, manifest: address(manifest) },
      prefer: wanted !== "wasm" && "gpu" in navigator ? "webgpu" : "wasm",
    };
  }
}

/** @param {string} path */
function address(path) {
  return new URL(path, document.baseURI).href;
}
