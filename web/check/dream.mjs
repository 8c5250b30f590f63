// Dream one job under node, for comparison with the command line: node dream.mjs JOB.json
// The job names a graph, its manifest, the source (float32 planes), a mask or null, a recipe of all fields, and the output.

import { readFile, writeFile } from "node:fs/promises";
import * as ort from "onnxruntime-web/wasm";
import { planned } from "../src/dream/plan.js";
import { planes } from "../src/dream/planes.js";
import { render } from "../src/dream/render.js";
import { StepNetwork, selfTest } from "../src/engine/session.js";

const job = JSON.parse(await readFile(process.argv[2], "utf-8"));
const manifest = JSON.parse(await readFile(job.manifest, "utf-8"));
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(await readFile(job.graph), { executionProviders: ["wasm"] });
const network = new StepNetwork(ort, session, manifest);
await selfTest(network);

/** @param {{file: string, channels: number, height: number, width: number}} from */
async function read(from) {
  const bytes = await readFile(from.file);
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return planes(from.channels, from.height, from.width, data);
}

for (const each of job.dreams) {
  const source = await read(each.source);
  const plan = planned(each.recipe, manifest, [source.height, source.width]);
  /** @type {import("../src/dream/planes.js").Planes | null} */
  let last = null;
  for await (const frame of render(plan, source, network, { mask: each.mask && (await read(each.mask)) }))
    last = frame.image;
  await writeFile(each.out, Buffer.from(/** @type {any} */ (last).data.buffer));
}
