// Where the worker finds its files.

/**
 * How the worker is to compute: with WebGPU where the browser has it, unless the address says ?engine=wasm.
 * @param {import("./controls.js").Page} page
 * @param {any} network one of the page's
 * @returns {import("../engine/worker.js").Setting}
 */
export function settingOf(page, network) {
  const address = (/** @type {string} */ path) => new URL(path, document.baseURI).href;
  const runtimes = Object.fromEntries(
    Object.entries(page.runtimes).map(([kind, { module, wasm }]) => [
      kind,
      { module: address(module), wasm: { ...wasm, url: address(wasm.url) } },
    ]),
  );
  const { name, graph, manifest } = network;
  const wanted = new URLSearchParams(location.search).get("engine");
  return {
    runtimes: /** @type {any} */ (runtimes),
    network: { name, graph: { ...graph, url: address(graph.url) }, manifest: address(manifest) },
    prefer: wanted !== "wasm" && "gpu" in navigator ? "webgpu" : "wasm",
  };
}
