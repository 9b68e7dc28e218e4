// The server's public routes.

const root = new URL("./", document.baseURI);
const PATIENCE = 10000; // ms

// What went wrong, in the server's words; status 0: it did not answer.
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const address = (path) => new URL(path, root).href;

export async function ask(path, options = {}) {
  let reply;
  try {
    reply = await fetch(address(path), { signal: AbortSignal.timeout(PATIENCE), ...options });
  } catch (error) {
    throw new Failure(0, error.name === "TimeoutError" ? "too slow" : "no connection");
  }
  if (reply.ok) return reply;
  const text = await reply.text();
  let message = text || reply.statusText;
  try {
    message = JSON.parse(text).error ?? message;
  } catch {
    // a proxy's
  }
  throw new Failure(reply.status, message);
}

export const get = async (path) => (await ask(path)).json();

// NaN and Infinity may stand in outputs.
const parse = (text) => JSON.parse(text.replace(/(?<=[[,:\s])(NaN|-?Infinity)(?=[\],}\s])/g, "null"));

export async function infer(model, body) {
  const reply = await ask(`${model.path}/infer`, { method: "POST", body: JSON.stringify(body) });
  return parse(await reply.text());
}

// A file, as /infer takes it.
export async function inferBytes(model, bytes, type) {
  const reply = await ask(`infer/${encodeURIComponent(model.name)}`,
    { method: "POST", body: bytes, headers: { "Content-Type": type } });
  return parse(await reply.text());
}

// The models served: [{name, version, path}].
export async function models() {
  const { model_stats: list } = await get("v2/models/stats");
  return list.map(({ name, version }) => ({ name, version, path: `v2/models/${encodeURIComponent(name)}/versions/${version}` }));
}

// Samples of /metrics whose names begin so: [{name, labels, value}].
export async function metrics(...heads) {
  const text = await (await ask("metrics")).text();
  const samples = [];
  for (const line of text.split("\n")) {
    if (!heads.some((head) => line.startsWith(head))) continue;
    const [, name, inside = "", value] = /^([^{ ]+)(?:\{(.*)\})? (\S+)/.exec(line);
    const labels = Object.fromEntries(Array.from(inside.matchAll(/(\w+)="([^"]*)"/g), ([, key, label]) => [key, label]));
    samples.push({ name, labels, value: Number(value) });
  }
  return samples;
}

// The elements of a .npy file of FP32 or INT64.
export async function npy(path) {
  const buffer = await (await ask(path)).arrayBuffer(), start = 10 + new DataView(buffer).getUint16(8, true);
  const head = new TextDecoder().decode(buffer.slice(10, start)), data = buffer.slice(start);
  return head.includes("<f4") ? Array.from(new Float32Array(data)) : Array.from(new BigInt64Array(data), Number);
}
