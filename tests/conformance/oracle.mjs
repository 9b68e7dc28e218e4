// Computes the expected outputs of a suite's cases with onnxruntime-node, another engine than ours.
//
//     node oracle.mjs FOLDER NODE_MODULES
//
// FOLDER holds cases.json and the cases' folders; every case's outputs are written as .npy next to its inputs.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const [folder, modules] = process.argv.slice(2);
const ort = createRequire(join(resolve(modules), "x.js"))("onnxruntime-node");

const KINDS = {
  "<f4": ["float32", Float32Array],
  "<f8": ["float64", Float64Array],
  "<i4": ["int32", Int32Array],
  "<i8": ["int64", BigInt64Array],
  "|b1": ["bool", Uint8Array],
};

function readNpy(path) {
  const file = readFileSync(path);
  const start = 10 + file.readUInt16LE(8);
  const head = file.toString("latin1", 10, start);
  const [type, Kind] = KINDS[/'descr': '([^']+)'/.exec(head)[1]];
  if (/'fortran_order': True/.test(head)) throw new Error(`${path}: Fortran order`);
  const dims = (/'shape': \(([^)]*)\)/.exec(head)[1].match(/\d+/g) ?? []).map(Number);
  const bytes = file.buffer.slice(file.byteOffset + start, file.byteOffset + file.length);
  return new ort.Tensor(type, new Kind(bytes), dims);
}

function writeNpy(path, tensor) {
  const [descr, [, Kind]] = Object.entries(KINDS).find(([, [type]]) => type === tensor.type);
  const data = Kind.from(tensor.data);
  const shape = tensor.dims.length === 1 ? `(${tensor.dims[0]},)` : `(${tensor.dims.join(", ")})`;
  const head = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11) + "\n";
  const length = Buffer.from([padded.length & 255, padded.length >> 8]);
  writeFileSync(path, Buffer.concat([
    Buffer.from("\x93NUMPY\x01\x00", "latin1"), length, Buffer.from(padded, "latin1"),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength)]));
}

let failed = 0;
for (const item of JSON.parse(readFileSync(join(folder, "cases.json"), "utf8"))) {
  const here = join(folder, item.name);
  try {
    const session = await ort.InferenceSession.create(join(here, "model.onnx"), { logSeverityLevel: 3 });
    const feeds = Object.fromEntries(item.inputs.map(([name, file]) => [name, readNpy(join(here, file))]));
    const results = await session.run(feeds);
    for (const [name, file] of item.outputs) writeNpy(join(here, file), results[name]);
    await session.release();
  } catch (error) {
    console.error(`${item.name}: ${error.message}`);
    failed++;
  }
}
process.exit(failed ? 1 : 0);
