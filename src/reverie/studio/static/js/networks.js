// The networks: what is here, what can be fetched, and sheets of what each dreams.

import { button, fill, h } from "./dom.js";
import { engine } from "./engine.js";
import { set, world } from "./state.js";

export async function open() {
  const list = h("div", { class: "networks" });
  const root = h("div", { class: "plain-page" }, h("h1", {}, "Networks"), h("p", { class: "soft" }, "What a network was trained to see is what it dreams. The built-in one needs nothing; the others' weights come from their publishers, once."), list);
  const draw = async () => {
    world.networks = (await engine.ask("/api/networks")).networks;
    fill(list, world.networks.map(tile));
  };
  /** @param {any} each */
  const tile = (each) => {
    const fetching = [...world.jobs.values()].find((job) => job.kind === "fetch" && job.wish.settings.network === each.name && ["queued", "running"].includes(job.state));
    const facts = [each.classes ? `${each.classes} classes` : "", each.megabytes ? `${each.megabytes} MB` : "", each.license].filter(Boolean).join(" · ");
    return h("section", { class: "tile", "aria-label": each.name }, h("div", { class: "row" }, h("h2", { class: "grow" }, each.name), h("span", { class: "small", style: each.ready ? "color:var(--good)" : "color:var(--soft)" }, each.bundled ? "built in" : each.ready ? "here" : each.package ? `in the package ${each.package}` : "not here")),
      h("p", { class: "small" }, each.about), facts ? h("p", { class: "small soft" }, facts) : null, each.credit ? h("p", { class: "small soft" }, each.credit) : null,
      h("div", { class: "row" }, each.ready ? button("Dream with it", () => { set("network", each.name === world.automatic ? null : each.name); location.hash = "#/dream"; }, { class: "tiny" }) : null,
        each.ready ? button("What it dreams", async () => { set("network", each.name === world.automatic ? null : each.name); location.hash = "#/visualize"; }, { class: "tiny" }) : null,
        !each.ready && each.fetchable ? button(fetching ? "Is being fetched …" : `Fetch ${each.megabytes ? `${each.megabytes} MB` : "the weights"}`, async () => { const { job } = await engine.ask(`/api/networks/${encodeURIComponent(each.name)}/fetch`, { body: { go: true } }); world.jobs.set(job.id, job); await draw(); }, { class: "tiny", disabled: Boolean(fetching) }) : null),
      h("p", { class: "small soft", "data-note": each.name }));
  };
  await draw();
  return {
    root, title: "Networks",
    told: (/** @type {any} */ told) => {
      if (told.type === "job" && told.job.kind === "fetch") {
        void draw().then(() => { if (told.job.error) fill(/** @type {any} */ (list.querySelector(`[data-note="${CSS.escape(told.job.wish.settings.network)}"]`)), h("span", { class: "wrong" }, told.job.error)); });
      } else if (told.type === "note") {
        const job = world.jobs.get(told.job);
        if (job?.kind === "fetch") fill(/** @type {any} */ (list.querySelector(`[data-note="${CSS.escape(job.wish.settings.network)}"]`)), told.text);
      }
    },
  };
}
