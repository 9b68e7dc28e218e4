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
export async function infer(path, body, type = "application/json") {
  const reply = await ask(path, { method: "POST", body, headers: { "Content-Type": type } });
  return JSON.parse((await reply.text()).replace(/(?<=[[,:\s])(NaN|-?Infinity)(?=[\],}\s])/g, "null"));
}

// The models served: [{name, version, path, infer, bytes}]; `bytes` takes .npy.
export async function models() {
  const { model_stats: list } = await get("v2/models/stats");
  return list.map(({ name, version }) => {
    const coded = encodeURIComponent(name), path = `v2/models/${coded}/versions/${version}`;
    return { name, version, path, infer: `${path}/infer`, bytes: `infer/${coded}` };
  });
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
