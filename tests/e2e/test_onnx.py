"""ONNX files in every form that exporters write: the same network gives the same answers, and loading one
takes no more memory than was promised."""

import array
import random
import struct
import subprocess
import sys
import unittest

import onnx_writer as o
import support
import tensors

RNG = random.Random(5)
# a few bits each, so that FP16 and BF16 hold them exactly
WEIGHTS = {name: [RNG.randrange(-16, 17) / 16 for _ in range(n)]
           for name, n in (("w1", 4 * 3), ("b1", 4), ("w2", 2 * 4), ("b2", 2))}
DIMS = {"w1": [4, 3], "b1": [4], "w2": [2, 4], "b2": [2]}
ROWS = [[1.0, -2.0, 0.5], [0.25, 3.0, -1.0], [-1.0, -1.0, 2.0]]


def expected():
    def linear(x, w, b):
        return [sum(a * v for a, v in zip(x, WEIGHTS[w][i * len(x):])) + c
                for i, c in enumerate(WEIGHTS[b])]
    return [linear([max(0.0, v) for v in linear(x, "w1", "b1")], "w2", "b2") for x in ROWS]


NODES = [o.node("Gemm", ["h", "w2", "b2"], ["y"], "second", transB=1),  # not in the order of evaluation
         o.node("Gemm", ["x", "w1", "b1"], ["g"], "first", transB=1), o.node("Relu", ["g"], ["h"])]


def network(make, nodes=(), inputs=(), **model):
    """The network with every initializer written by make(name, dims, values)."""
    initializers = [t for t in (make(n, DIMS[n], v) for n, v in WEIGHTS.items()) if t]
    return o.model(o.graph([*nodes, *NODES], initializers, [o.value("x", ["batch", 3]), *inputs],
                           [o.value("y", ["batch", 2])]), **model)


def raw(name, dims, values):
    return o.tensor(name, dims, values)


class Answers(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def check(self, data, name="mlp.onnx"):
        path = self.folder.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        self.check_path(path)

    def check_path(self, path):
        rows = tensors.Tensor((3, 3), [v for row in ROWS for v in row])
        out, _ = support.infer_offline(self, self.folder, path, rows)
        self.assertEqual(list(out), ["y"])
        self.assertEqual(tuple(out["y"].shape), (3, 2))
        for got, want in zip(out["y"].values, [v for row in expected() for v in row]):
            self.assertAlmostEqual(got, want, delta=1e-5)

    def test_raw_data(self):
        self.check(network(raw))

    def test_fields(self):
        self.check(network(lambda n, d, v: o.tensor(n, d, extra=o.data(4, struct.pack(f"<{len(v)}f", *v)))))

    def test_doubles(self):
        self.check(network(lambda n, d, v: o.tensor(n, d, v, o.DOUBLE)))

    def test_halves(self):
        self.check(network(lambda n, d, v: o.tensor(n, d, type=o.FLOAT16,
                                                    raw=struct.pack(f"<{len(v)}e", *v))))

    def test_bfloat16(self):
        self.check(network(lambda n, d, v: o.tensor(n, d, type=o.BFLOAT16, raw=b"".join(
            struct.pack("<f", x)[2:] for x in v))))

    def test_initializers_among_the_inputs(self):
        """As IR 3 demanded."""
        self.check(network(raw, inputs=[o.value(n, d) for n, d in DIMS.items()], ir=3, opset=9))

    def test_constant_nodes(self):
        self.check(network(lambda *_: None, nodes=[o.node("Constant", [], [n], value=o.tensor("", DIMS[n], v))
                                                   for n, v in WEIGHTS.items()]))

    def test_newest(self):
        self.check(network(raw, ir=13, opset=23))

    def test_external_data(self):
        """As PyTorch's exporter writes it: everything in one file beside the model."""
        data = bytearray()

        def make(name, dims, values):
            data.extend(bytes(-len(data) % 64))
            piece = struct.pack(f"<{len(values)}f", *values)
            data.extend(piece)
            return o.external(name, dims, {"location": "mlp.onnx.data", "offset": len(data) - len(piece),
                                           "length": len(piece)})

        model = network(make)
        (self.folder.path / "mlp.onnx.data").write_bytes(data)
        self.check(model)

    def test_places(self):
        """A folder with model.onnx is called as the folder."""
        self.check(network(raw), "resnet/model.onnx")
        for path, name in ((self.folder.path / "resnet", "resnet"),
                           (self.folder.path / "resnet" / "model.onnx", "resnet")):
            self.check_path(path)
            done = support.run("inspect", path)
            self.assertTrue(done.stdout.startswith(f"{name}, version 1 (onnx)"), done.stdout)
        self.check(network(raw), "other.onnx")
        done = support.run("inspect", self.folder.path / "other.onnx")
        self.assertTrue(done.stdout.startswith("other, version 1 (onnx)"), done.stdout)
        (self.folder.path / "resnet" / "model.json").write_text("{}")
        done = support.run("inspect", self.folder.path / "resnet")
        self.assertEqual(done.returncode, 1)
        self.assertIn("model.json and model.onnx", done.stderr)


MIB = 1 << 20
SIZE = 4096  # a square matrix of 64 MiB
BYTES = SIZE * SIZE * 4
# A process of its own: a child's peak begins with what its parent has.
MEASURE = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(status, usage.ru_maxrss)
"""


class Memory(unittest.TestCase):
    """Peak of loading: twice the file, the packed weights, and 64 MiB."""

    def setUp(self):
        if support.SANITIZER:
            self.skipTest("a sanitizer keeps what is freed")
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        self.path = self.folder.path / "big.onnx"

    def write(self, nodes, weights, width, output):
        self.path.write_bytes(o.model(o.graph(nodes, weights, [o.value("x", ["N", width])],
                                              [o.value(output, ["N", width])])))

    def check(self, limit, packed=BYTES):
        done = subprocess.run([sys.executable, "-c", MEASURE, str(support.BINARY), "inspect", self.path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment())
        status, peak = map(int, done.stdout.split())
        self.assertEqual((status, done.stderr), (0, b""))
        self.assertLess(peak << 10, limit)
        # the packed weights are there at the end: less would mean that nothing was measured
        self.assertGreater(peak << 10, packed)

    def one(self, weights):
        self.write([o.node("Gemm", ["x", "w"], ["y"], "fc", transB=1)], [weights], SIZE, "y")

    def test_one_file(self):
        self.one(o.tensor("w", [SIZE, SIZE], raw=matrix(SIZE)))
        self.check(2 * BYTES + BYTES + 64 * MIB)

    def test_external_data(self):
        self.one(o.external("w", [SIZE, SIZE], {"location": "big.onnx.data"}))
        (self.folder.path / "big.onnx.data").write_bytes(matrix(SIZE))
        self.check(BYTES + BYTES + 64 * MIB)

    def test_convolution(self):
        """3 x 3 kernels, which are packed otherwise than matrices."""
        channels = SIZE // 4  # 36 MiB of weights
        weights = o.tensor("w", [channels, channels, 3, 3], raw=matrix(channels) * 9)
        self.path.write_bytes(o.model(o.graph(
            [o.node("Conv", ["x", "w"], ["y"], "conv")], [weights], [o.value("x", ["N", channels, 3, 3])],
            [o.value("y", ["N", channels, 1, 1])])))
        bytes = 9 * channels * channels * 4
        self.check(2 * bytes + bytes + 64 * MIB, bytes)

    def test_many_tensors(self):
        """None of them twice: what is unpacked goes as soon as it is copied."""
        n, side = 64, SIZE // 8
        nodes = [o.node("Gemm", [f"v{i}" if i else "x", f"w{i}"], [f"v{i + 1}"], transB=1)
                 for i in range(n)]
        data = matrix(side)
        self.write(nodes, [o.tensor(f"w{i}", [side, side], raw=data) for i in range(n)], side, f"v{n}")
        self.check(2 * BYTES + BYTES + 64 * MIB)


def matrix(side):
    return array.array("f", (i % 7 - 3 for i in range(side))).tobytes() * side


if __name__ == "__main__":
    unittest.main()
