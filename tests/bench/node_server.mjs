// Node's http and onnxruntime-node as one of the servers that serve.py measures: one network by the Open
// Inference Protocol, in JSON and with binary tensors.
//
//     node node_server.mjs NODE_MODULES MODEL PROCESSES THREADS PORT
import cluster from "node:cluster";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { join, resolve } from "node:path";

const [modules, model, processes, threads, port] = process.argv.slice(2);
const sizeHeader = "Inference-Header-Content-Length";

function read(request) {
  const chunks = [];
  return new Promise((done, failed) => {
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => done(Buffer.concat(chunks)));
    request.on("error", failed);
  });
}

// The input of a request whose JSON is `size` bytes, with the tensor behind it; all of it when there is no size.
function decode(body, size) {
  const { inputs: [tensor] } = JSON.parse(body.toString("utf8", 0, size));
  const bytes = size && body.buffer.slice(body.byteOffset + size, body.byteOffset + body.length);
  return { values: bytes ? new Float32Array(bytes) : Float32Array.from(tensor.data), shape: tensor.shape };
}

function send(response, type, body, headers = {}) {
  response.writeHead(200, { "Content-Type": type, "Content-Length": body.length, ...headers });
  response.end(body);
}

function answer(response, name, output, { data, dims }, binary) {
  const tensor = { name: output, datatype: "FP32", shape: dims };
  const content = { model_name: name, model_version: "1", outputs: [tensor] };
  if (!binary) {
    tensor.data = Array.from(data);
    return send(response, "application/json", Buffer.from(JSON.stringify(content)));
  }
  tensor.parameters = { binary_data_size: data.byteLength };
  const head = Buffer.from(JSON.stringify(content));
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return send(response, "application/octet-stream", Buffer.concat([head, bytes]), { [sizeHeader]: head.length });
}

async function serve() {
  const require = createRequire(join(resolve(modules), "x.js"));
  const ort = require("onnxruntime-node");
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: "all", logSeverityLevel: 3,
  });
  const [inputName] = session.inputNames;
  const [outputName] = session.outputNames;
  const about = {
    name: "node", version: process.version, extensions: ["binary_tensor_data"],
    parts: { "onnxruntime-node": require("onnxruntime-node/package.json").version },
  };

  async function infer(request, response, name) {
    const size = request.headers[sizeHeader.toLowerCase()];
    const { values, shape } = decode(await read(request), size && Number(size));
    const results = await session.run({ [inputName]: new ort.Tensor("float32", values, shape) });
    answer(response, name, outputName, results[outputName], size !== undefined);
  }

  const server = createServer((request, response) => {
    const [, name] = request.url.match(/^\/v2\/models\/([^/]+)\/infer$/) ?? [];
    if (name) return infer(request, response, name);
    return send(response, "application/json", Buffer.from(JSON.stringify(request.url === "/v2" ? about : {})));
  });
  server.keepAliveTimeout = 75000;
  server.listen(Number(port), "127.0.0.1");
}

if (processes > 1 && cluster.isPrimary) {
  for (let i = 0; i < processes; i++) cluster.fork();
} else {
  await serve();
}
