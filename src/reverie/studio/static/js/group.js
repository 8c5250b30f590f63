// What belongs together: a grid with its two settings at its sides, or a row of variations.

import { button, fill, h, shown } from "./dom.js";
import { engine } from "./engine.js";
import { picture } from "./queue.js";

/** @param {string[]} address */
export async function open(address) {
  const [, id] = address;
  const root = h("div", { class: "plain-page" });
  /** @type {any[]} */
  let jobs = [];
  /** @type {Map<string, any>} */
  const cells = new Map();

  /** @param {any} job */
  const cell = (job) => {
    const shot = h("img", { class: "shot", alt: `${job.title}, ${job.state}`, src: picture(job) ?? undefined });
    const result = job.results?.[0]?.picture;
    const made = h("a", { href: result ? `#/picture/${result}` : `#/job/${job.id}`, "data-state": job.state, style: job.state === "done" ? undefined : "opacity:.45" }, shot);
    cells.set(job.id, { made, shot });
    return made;
  };

  const draw = () => {
    if (!jobs.length) { fill(root, h("h1", {}, "Nothing is left of this group")); return; }
    const { grouping } = jobs[0];
    const done = jobs.filter((each) => each.state === "done").length;
    const across = grouping.x?.values ?? [], down = grouping.y?.values ?? null;
    const head = h("div", { class: "row" }, h("h1", { class: "grow" }, /** @type {Record<string, string>} */ ({ grid: "Grid", variations: "Variations", presets: "All presets", folder: "Folder" })[grouping.kind] ?? "Group"),
      h("span", { class: "soft numbers" }, `${done} of ${jobs.length} done`),
      done < jobs.length ? button("Cancel the rest", async () => { for (const job of jobs) if (["queued", "running", "interrupted"].includes(job.state)) await engine.act(job.id, "cancel"); }, { class: "tiny" }) : null);
    if (down) {
      fill(root, head, h("div", { class: "matrix", tabindex: 0, role: "region", "aria-label": "Grid" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { class: "small" }, `${grouping.y.name} ↓ ${grouping.x.name} →`), across.map((/** @type {any} */ each) => h("th", { scope: "col", class: "numbers" }, shown(each))))),
        h("tbody", {}, down.map((/** @type {any} */ value, /** @type {number} */ row) => h("tr", {}, h("th", { scope: "row", class: "numbers" }, shown(value)),
          jobs.slice(row * across.length, (row + 1) * across.length).map((job) => h("td", {}, cell(job)))))))));
    } else {
      fill(root, head, h("div", { class: "cards", style: "grid-template-columns:repeat(auto-fill,minmax(200px,1fr))" },
        jobs.map((job, at) => h("figure", { style: "margin:0" }, cell(job), h("figcaption", { class: "small soft" }, shown(across[at] ?? job.title))))));
    }
  };

  jobs = (await engine.ask(`/api/jobs?group=${id}`)).jobs;
  draw();
  return {
    root, title: "Group",
    told: (/** @type {any} */ told) => {
      if (told.type === "job") {
        const at = jobs.findIndex((each) => each.id === told.job.id);
        if (at >= 0) { jobs[at] = told.job; draw(); }
      } else if (told.type === "step" && told.picture && cells.has(told.job)) cells.get(told.job).shot.src = engine.live(told.job, told.picture);
    },
  };
}
