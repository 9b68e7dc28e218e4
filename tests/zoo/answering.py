"""A served network whose replies carry what each of its activations gave."""

import concurrent.futures
import json

import numpy as np
import onnx
import support

LENGTH = "Inference-Header-Content-Length"


def write(path, out):
    """The file of a network, with every Relu's output among its own; node -> the name of its output."""
    model = onnx.load(str(path))
    names = {node.name: node.output[0] for node in model.graph.node if node.op_type == "Relu"}
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
                              for name in names.values())
    onnx.save(model, str(out))
    return names


def ask(server, x):
    """One request; name -> output."""
    data = np.ascontiguousarray(x, "<f4").tobytes()
    text = json.dumps({"inputs": [{"name": "input", "shape": x.shape, "datatype": "FP32",
                                   "parameters": {"binary_data_size": len(data)}}],
                       "parameters": {"binary_data_output": True}}).encode()
    with server.client(timeout=600) as client:
        reply = client.post("/v2/models/net/infer", text + data, {LENGTH: str(len(text))})
    if reply.status != 200:
        raise AssertionError(f"{reply.status}: {reply.body[:200]}")
    at, outputs = int(reply.header(LENGTH)), {}
    for output in json.loads(reply.body[:at])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        outputs[output["name"]] = np.frombuffer(reply.body, "<f4", size // 4, at).reshape(output["shape"])
        at += size
    return outputs


def serve(binary, model, requests, env, *args):
    """Sends all requests at the same time. Gives their outputs, what the server says of its activations, and how many
    runs it took."""
    with support.Server(*args, model=f"net={model}", env=env, binary=binary) as server:
        with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
            replies = list(pool.map(lambda x: ask(server, x), requests))
        with server.client() as client:
            layers = client.get("/v2/models/net/activity?channels=1").json()["layers"]
        runs = server.check_conservation().total("rectifier_inference_executions_total")
    return {name: np.concatenate([reply[name] for reply in replies]) for name in replies[0]}, layers, runs
