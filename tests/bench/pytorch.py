#!/usr/bin/python3
"""PyTorch as one of the engines that run.py measures; README.md has the protocol.

    pytorch.py MODEL INPUT SHAPE THREADS
    pytorch.py --write NAME MODEL             NAME of networks.py as TorchScript
"""

import json
import statistics
import sys
import time

import torch
from torch.nn import functional as F

# ONNX's operators, as far as networks.py uses them: (inputs, attributes) -> result
OPERATORS = {
    "Conv": lambda x, a: F.conv2d(*x, stride=a["strides"], padding=a["pads"][:2], groups=a["group"]),
    "Gemm": lambda x, a: F.linear(*x),
    "BatchNormalization": lambda x, a: F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=1e-5),
    "Relu": lambda x, a: F.relu(x[0]),
    "Clip": lambda x, a: F.relu6(x[0]),  # the only Clip there is
    "MaxPool": lambda x, a: F.max_pool2d(x[0], a["kernel_shape"], a["strides"], a["pads"][:2],
                                         ceil_mode=bool(a["ceil_mode"])),
    "AveragePool": lambda x, a: F.avg_pool2d(x[0], a["kernel_shape"], a["strides"]),
    "GlobalAveragePool": lambda x, a: F.adaptive_avg_pool2d(x[0], 1),
    "Flatten": lambda x, a: torch.flatten(x[0], 1),
    "Add": lambda x, a: x[0] + x[1],
    "Softmax": lambda x, a: F.softmax(x[0], a["axis"]),
    "Concat": lambda x, a: torch.cat(x, a["axis"]),
}


class Module(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.nodes, self.sample = net.nodes, net.sample
        for name, (dims, raw) in net.weights.items():
            self.register_buffer(name, torch.frombuffer(bytearray(raw), dtype=torch.float32).reshape(dims))

    def compute(self, op, inputs, output, attributes):
        return OPERATORS[op](inputs, attributes)

    def forward(self, x):
        values = {"x": x, **dict(self.named_buffers())}
        for op, inputs, output, attributes in self.nodes:
            values[output] = self.compute(op, [values[name] for name in inputs], output, attributes)
        return values[output]


def write(name, path):
    import networks  # only here: what is measured loads a file
    net = networks.build(name)
    with torch.no_grad():
        torch.jit.freeze(torch.jit.trace(Module(net).eval(), torch.zeros(2, *net.sample))).save(path)


def measure(run, batch, seconds):
    ms = []
    run(batch)
    now = time.perf_counter()
    end = now + seconds
    while not ms or now < end:
        start = now
        run(batch)
        now = time.perf_counter()
        ms.append(1e3 * (now - start))
    return {"runs": len(ms), "ms": statistics.median(ms)}


def main():
    model, inputs, shape, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    start = time.perf_counter()
    net = torch.jit.optimize_for_inference(torch.jit.load(model))
    load = 1e3 * (time.perf_counter() - start)
    with open(inputs, "rb") as file:
        x = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(-1, *map(int, shape.split("x")))

    def run(batch):
        return net(x[:batch])

    print(json.dumps({"version": torch.__version__, "python": sys.version.split()[0], "load_ms": load}), flush=True)
    for line in sys.stdin:
        verb, batch, rest = line.split()
        if verb == "time":
            reply = measure(run, int(batch), float(rest))
        else:
            reply = {}
            with open(rest, "wb") as file:
                file.write(run(int(batch)).contiguous().numpy().tobytes())
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        write(*sys.argv[2:])
    else:
        with torch.inference_mode():
            main()
