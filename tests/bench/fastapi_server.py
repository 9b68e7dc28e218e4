"""FastAPI, uvicorn and PyTorch as one of the servers that serve.py measures: one network by the Open Inference
Protocol, in JSON and with binary tensors.

    MODEL=net.pt THREADS=2 uvicorn --app-dir tests/bench fastapi_server:app
"""

import json
import math
import os

import fastapi
import numpy
import torch
import uvicorn

SIZE = "Inference-Header-Content-Length"
app = fastapi.FastAPI()


@app.on_event("startup")
def load():
    torch.set_num_threads(int(os.environ["THREADS"]))
    app.state.net = torch.jit.optimize_for_inference(torch.jit.load(os.environ["MODEL"]))


@app.get("/v2")
async def about():
    return {"name": "fastapi", "version": fastapi.__version__, "extensions": ["binary_tensor_data"],
            "parts": {"uvicorn": uvicorn.__version__, "PyTorch": torch.__version__}}


@app.get("/v2/health/ready")
async def ready():
    return {}


def read(body, size):
    """The input of a request whose JSON is `size` bytes, with the tensor behind it; all of it when there is no size."""
    if size is None:
        tensor, = json.loads(body)["inputs"]
        values = numpy.array(tensor["data"], dtype=numpy.float32)
    else:
        tensor, = json.loads(body[:size])["inputs"]
        values = numpy.frombuffer(bytearray(memoryview(body)[size:]), dtype=numpy.float32)
    return torch.from_numpy(values).reshape(tensor["shape"])


def reply(name, y, binary):
    tensor = {"name": "y", "datatype": "FP32", "shape": list(y.shape)}
    content = {"model_name": name, "model_version": "1", "outputs": [tensor]}
    if not binary:
        tensor["data"] = y.flatten().tolist()
        return fastapi.responses.JSONResponse(content)
    tensor["parameters"] = {"binary_data_size": 4 * math.prod(y.shape)}
    head = json.dumps(content, separators=(",", ":")).encode()
    return fastapi.Response(head + y.contiguous().numpy().tobytes(), media_type="application/octet-stream",
                            headers={SIZE: str(len(head))})


@app.post("/v2/models/{name}/infer")
async def infer(name: str, request: fastapi.Request):
    size = request.headers.get(SIZE)
    x = read(await request.body(), size and int(size))
    with torch.inference_mode():
        y = app.state.net(x)
    return reply(name, y, size is not None)
