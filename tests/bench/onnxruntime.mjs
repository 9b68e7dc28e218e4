// onnxruntime-node as one of the engines that run.py measures; README.md has the protocol.
//
//     node onnxruntime.mjs NODE_MODULES MODEL INPUT SHAPE THREADS
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const [modules, model, input, shape, threads] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "x.js"));
const ort = require("onnxruntime-node");
const start = performance.now();
const session = await ort.InferenceSession.create(model, {
  intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: "all", logSeverityLevel: 3,
});
const load = performance.now() - start;
const sample = shape.split("x").map(Number);
const size = sample.reduce((a, b) => a * b);
const file = readFileSync(input);
const floats = new Float32Array(file.buffer, file.byteOffset, file.length / 4);
const [outputName] = session.outputNames;
const feeds = new Map();  // batch -> inputs

async function run(batch) {
  if (!feeds.has(batch)) {
    feeds.set(batch, { x: new ort.Tensor("float32", floats.slice(0, batch * size), [batch, ...sample]) });
  }
  return (await session.run(feeds.get(batch)))[outputName].data;
}

async function time(batch, seconds) {
  const ms = [];
  await run(batch);
  let now = performance.now();
  for (const end = now + 1000 * seconds; !ms.length || now < end;) {
    const from = now;
    await run(batch);
    now = performance.now();
    ms.push(now - from);
  }
  ms.sort((a, b) => a - b);
  return { runs: ms.length, ms: ms[ms.length >> 1] };
}

const say = (reply) => process.stdout.write(JSON.stringify(reply) + "\n");
say({ version: require("onnxruntime-node/package.json").version, node: process.version, load_ms: load });
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, batch, rest] = line.split(" ");
  if (verb === "time") {
    say(await time(Number(batch), Number(rest)));
  } else {
    const output = await run(Number(batch));
    writeFileSync(rest, new Uint8Array(output.buffer, output.byteOffset, output.byteLength));
    say({});
  }
}
