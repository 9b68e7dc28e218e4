"""ONNX files that are damaged, wrong or made to hurt: each is refused in one line that names the file and
the item, with exit code 1, within bounded time and memory. Files that are only bent may turn out valid."""

import concurrent.futures
import os
import random
import subprocess
import tempfile
import threading
import time
import unittest

import onnx_writer as o
import support

SECONDS = 2 * support.SLOWNESS  # of CPU time, which does not depend on what else the machine does
TIMEOUT = 10 * SECONDS          # and of waiting
RSS = 400 << 20  # bytes; what no file of a few MB may exceed
HUGE = (1 << 31, 1 << 40, (1 << 62) + 1)


class Case:
    """A file, what the message must hold, and whether it may also be valid."""

    def __init__(self, name, data, *fragments, files=None, maybe=False):
        self.name, self.data, self.fragments = name, data, fragments
        self.files = files  # makes other files in the model's folder
        self.maybe = maybe


def small(**changes):
    """Conv, Relu, MaxPool, Flatten, Gemm on [N,1,8,8]; parts are replaced or, where they end in _, added."""
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], **changes.get("conv", {})}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2], **changes.get("pool", {})}
    nodes = [o.node("Conv", ["x", "w", "b"], ["c"], "conv", **drop_none(conv)),
             o.node("Relu", ["c"], ["r"], "relu"),
             o.node(changes.get("pool_op", "MaxPool"), ["r"], ["p"], "pool", **drop_none(pool)),
             o.node("Flatten", ["p"], ["f"], "flat", axis=1),
             o.node("Gemm", ["f", "v", "d"], ["y"], "fc", transB=1)]
    tensors = [changes.get("w", o.tensor("w", [4, 1, 3, 3], 0.1)), o.tensor("b", [4], 0.0),
               changes.get("v", o.tensor("v", [5, 64], 0.1)), o.tensor("d", [5], 0.0)]
    graph = o.graph(nodes + changes.get("nodes_", []), tensors + changes.get("tensors_", []),
                    changes.get("inputs", [o.value("x", ["N", 1, 8, 8])]),
                    [o.value("y", ["N", 5])] + changes.get("outputs_", []),
                    changes.get("graph_", b""))
    return o.model(graph, changes.get("opset", 13), changes.get("ir", 8), changes.get("model_", b""))


def drop_none(values):
    return {k: v for k, v in values.items() if v is not None}


def behind(op, inputs=("y",), tensors=(), opset=13, **attributes):
    """The small model with a node "bad" at its end."""
    return small(nodes_=[o.node(op, list(inputs), ["z"], "bad", **attributes)], tensors_=list(tensors),
                 outputs_=[o.value("z", ["N"])], opset=opset)


def damaged():
    good = small()
    yield Case("empty", b"", "no ONNX file")
    yield Case("text", b"import torch\nprint('hello')\n", "ONNX")
    yield Case("zip", b"PK\x03\x04" + bytes(100), "ONNX")
    yield Case("zeros", bytes(1000), "ONNX")
    for field, data in (("groups", b"\x0b" * 1000), ("ends of groups", b"\x0c"), ("wire type 6", b"\x0e"),
                        ("field 0", b"\x02\x00"), ("long varint", b"\x08" + b"\xff" * 11),
                        ("long tag", b"\xff" * 11), ("string past the end", b"\x12\xff\x01abc"),
                        ("string of 2^63", b"\x12" + o.varint(1 << 63)),
                        ("string of 2^64 - 1", b"\x12" + o.varint((1 << 64) - 1)),
                        ("string of 4 GiB", b"\x12" + o.varint(1 << 32)), ("half a number", b"\x0d\0")):
        yield Case(field, data, "malformed protobuf")
        yield Case(field + " behind a model", good + data, "malformed protobuf")
    step = max(1, len(good) // 24)
    for n in range(1, len(good), step):
        yield Case(f"cut at {n}", good[:n])
    rng = random.Random(3)
    for i in range(40):
        bit = rng.randrange(8 * (200 if i % 2 else len(good)))
        bent = bytearray(good)
        bent[bit // 8] ^= 1 << bit % 8
        yield Case(f"bit {bit}", bytes(bent), maybe=True)
    yield Case("two graphs in one", good + good, "twice")
    yield Case("many unknown fields", good + b"\x70\x01" * (2 << 20), "unpack")
    yield Case("many empty nodes", o.model(b"\x0a\x00" * (2 << 20)), "unpack")
    yield Case("many small dims", o.model(o.data(5, b"\x08\x01" * (4 << 20))), "unpack")
    yield Case("100,000 dims", small(w=o.tensor("w", [1] * 100_000, 0.1)), "'w'", "100000 dimensions")
    yield Case("a name of 1 MB", small(nodes_=[o.node("Relu", ["n" * (1 << 20)], ["z"], "bad")]), "bad")
    yield Case("an operator of 1 MB", behind("R" * (1 << 20)), "node bad")


def models():
    for opset in (None, 0, 1, 5, 28, 999, -1, 1 << 62):
        yield Case(f"opset {opset}", small(opset=opset), "opset")
    for ir in (0, 2, 999, -1):
        yield Case(f"ir {ir}", small(ir=ir), "ir_version")
    yield Case("no graph", o.number(1, 8) + o.data(8, o.number(2, 13)), "graph")
    yield Case("two opsets", small(model_=o.data(8, o.number(2, 11))), "opset_import")
    yield Case("local function", small(model_=o.data(25, o.data(1, "Swish"))), "Swish")
    yield Case("sparse initializer", small(graph_=o.data(15, b"")), "sparse")
    yield Case("no output", o.model(o.graph([o.node("Relu", ["x"], ["y"])], [], [o.value("x", [1])])),
               "output")


def names():
    relu = lambda i, out, name="bad": o.node("Relu", [i], [out], name)
    yield Case("node without a producer", behind("Relu", ["nowhere"]), "bad", "nowhere")
    yield Case("output without a producer", small(outputs_=[o.value("nowhere", [1])]), "nowhere")
    yield Case("cycle of one", small(nodes_=[relu("z", "z")], outputs_=[o.value("z", [1])]), "bad")
    yield Case("cycle of two", small(nodes_=[relu("z", "t"), relu("t", "z")],
                                     outputs_=[o.value("z", [1])]), "bad")
    yield Case("produced twice", small(nodes_=[relu("y", "c")]), "'c'")
    yield Case("input produced", small(nodes_=[relu("y", "x")]), "'x'")
    yield Case("initializer produced", small(nodes_=[relu("y", "w")]), "'w'")
    yield Case("initializer twice", small(tensors_=[o.tensor("w", [1], 0.0)]), "'w'")
    yield Case("input twice", small(inputs=[o.value("x", [1, 1, 8, 8])] * 2), "'x'")
    yield Case("output twice", small(outputs_=[o.value("y", [1])]), "'y'")
    yield Case("initializer without a name", small(tensors_=[o.tensor("", [1], 0.0)]), "initializer 4")
    yield Case("input without a name", small(inputs=[o.value("", [1])]), "input 0")
    yield Case("output without a name", small(outputs_=[o.value("", [1])]), "output 1")
    yield Case("input without a type", small(inputs=[o.data(1, "x")]), "'x'")
    yield Case("input without a shape", small(inputs=[o.data(1, "x") + o.data(2, o.data(1, o.number(1, 1)))]),
               "'x'", "shape")
    yield Case("input of strings", small(inputs=[o.value("x", [1, 1, 8, 8], o.STRING)]), "'x'", "strings")
    yield Case("input of rank 9", small(inputs=[o.value("x", [1] * 9)]), "'x'")
    yield Case("no input", small(inputs=[]), "'conv'", "'x'")
    yield Case("lines in an input's name", small(nodes_=[relu("no\nwhere\x1b[31m", "z")]), "no?where?[31m")
    for name in ("b\nd", "b\x1b[31md", "\x7f"):
        yield Case(f"node {name!r}", small(nodes_=[relu("y", "z", name)]), "node 5", "printable")
        yield Case(f"output {name!r}", small(nodes_=[relu("y", name)]), "node 5", "printable")
        yield Case(f"tensor {name!r}", small(tensors_=[o.tensor(name, [1], 0.0)]), "initializer 4", "printable")
    yield Case("name that is not UTF-8", small(nodes_=[o.node("Relu", [b"y"], [b"z\xff"], "bad")]), "UTF-8")
    yield Case("operator with lines", behind("Re\nlu"), "bad", "Re?lu")


def tensors():
    def weights(name, *fragments, **kind):
        return Case(name, small(w=o.tensor("w", kind.pop("dims", [4, 1, 3, 3]), **kind)), "'w'", *fragments)

    raw = bytes(144)
    for n in (0, 1, 143, 145, 288):
        yield weights(f"{n} raw bytes", "raw_data", raw=bytes(n))
    yield weights("no data")
    yield weights("floats besides raw", "float_data", raw=raw, extra=o.data(4, raw))
    yield weights("integers besides raw", "int64_data", raw=raw, extra=o.data(7, bytes(36)))
    yield weights("too few floats", extra=o.data(4, bytes(140)))
    yield weights("floats in doubles", "double_data", extra=o.data(10, bytes(288)))
    yield Case("half a float", small(w=o.tensor("w", [36], extra=o.data(4, bytes(143)))), "malformed")
    yield weights("segment", "segments", raw=raw, extra=o.data(3, b""))
    for dims in ([-4, 1, 3, 3], [-1], [1 << 62, 4], [1 << 32, 1 << 32], [1 << 61], [(1 << 63) - 1] * 3,
                 [1] * 9, [1 << 20, 1 << 20]):
        yield weights(f"dims {dims}", raw=raw, dims=dims)
    for type in (0, o.STRING, 14, 15, 17, 99, -1, 1 << 40):
        yield weights(f"data type {type}", raw=raw, type=type)
    yield Case("weights of rank 3", small(w=o.tensor("w", [4, 1, 9], 0.1)), "conv")
    yield Case("weights of no channels", small(w=o.tensor("w", [0, 1, 3, 3], raw=b"")), "conv")
    yield Case("weights of other channels", small(w=o.tensor("w", [4, 2, 3, 3], 0.1)), "conv")
    yield Case("matrix of another width", small(v=o.tensor("v", [5, 63], 0.1)), "fc")


def nodes():
    for op in ("If", "Loop", "Scan"):
        yield Case(op, behind(op), "bad", op)
    graph = o.data(5, o.data(1, "body") + o.data(6, b"\x0a\x00") + o.number(20, 5))
    yield Case("subgraph", behind("Relu", attributes=graph), "bad", "body")
    yield Case("unknown operator", behind("FlyToTheMoon"), "bad", "FlyToTheMoon")
    for op in ("Silu", "GeluTanh", "AdaptiveAveragePool", "rectifier.Linear", "rectifier.ToNHWC"):
        yield Case(f"an operator that ONNX lacks: {op}", behind(op), "'bad'", op, "unknown operator")
    yield Case("unknown domain", behind("Relu", domain="com.example"), "bad", "com.example")
    yield Case("unknown attribute", behind("Relu", slope=0.5), "bad", "slope")
    yield Case("no operator", behind(""), "bad")
    yield Case("too many inputs", behind("Relu", ["y", "y"]), "bad")
    yield Case("no inputs", behind("Relu", []), "bad")
    yield Case("100 inputs", behind("Concat", ["y"] * 100, axis=0), "bad")
    yield Case("attribute twice", behind("Flatten", attributes=o.data(5, o.attribute("axis", 1)) * 2),
               "bad", "axis")
    yield Case("1000 attributes", behind("Relu", attributes=o.data(5, o.attribute("a", 1)) * 1000), "bad")
    yield Case("attribute without a type", behind("Flatten", attributes=o.data(
        5, o.data(1, "axis") + o.number(3, 1))), "bad", "axis")
    yield Case("attribute of another type", behind("Flatten", axis=1.0), "bad", "axis")
    yield Case("constant string", small(nodes_=[o.node("Constant", [], ["z"], "bad", value_string="a")]),
               "bad", "value_string")
    yield Case("constant of nothing", small(nodes_=[o.node("Constant", [], ["z"], "bad")]), "bad")
    for n in (40_000, 100_000):
        chain = [o.node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(n)]
        yield Case(f"chain of {n}", o.model(o.graph(chain, [], [o.value("v0", [1, 4])],
                                                    [o.value(f"v{n}", [1, 4])])), "nodes")


def windows():
    """Attributes of windows: zero, negative, huge, too many."""
    for name in ("strides", "dilations", "pads", "kernel_shape"):
        n = 4 if name == "pads" else 2
        for v in (-1, *HUGE, *([] if name == "pads" else [0])):
            yield Case(f"conv {name} {v}", small(conv={name: [v] * n}), "conv")
            yield Case(f"pool {name} {v}", small(pool={name: [v] * n}), "pool")
            if name != "dilations":
                yield Case(f"average {name} {v}", small(pool={name: [v] * n}, pool_op="AveragePool"),
                           "pool")
        yield Case(f"conv {name} of one", small(conv={name: [1]}), "conv")
        yield Case(f"conv {name} of none", small(conv={name: 1}), "conv")
    for v in (0, -1, 3, *HUGE):
        yield Case(f"group {v}", small(conv={"group": v}), "conv")
    yield Case("auto_pad", small(conv={"auto_pad": "SAME", "pads": None}), "conv")
    yield Case("a window larger than the image", small(pool={"kernel_shape": [9, 9]}), "pool")
    yield Case("no kernel_shape", small(pool={"kernel_shape": None}), "pool")


def ints(name, *values):
    return o.tensor(name, [len(values)], list(values), o.INT64)


def shapes():
    unary = lambda op, dims: o.model(o.graph([o.node(op, ["x"], ["y"], "act")], [], [o.value("x", dims)],
                                             [o.value("y", dims)]))
    relu = lambda dims: unary("Relu", dims)
    yield Case("an image too large", unary("Neg", [1, 1, 1 << 17, 1 << 17]), "for")
    yield Case("more units than can be counted", relu([1, 1, 1 << 17, 1 << 17]), "activity of 1 channels")
    yield Case("dims beyond 64 bits", relu([1 << 40, 1 << 40]), "x")
    yield Case("a negative dimension", relu([1, -3]), "'x'")
    yield Case("memory over the budget", unary("Neg", [1, 8, 16384, 16384]), "for y")
    yield Case("two dims of -1", behind("Reshape", ["y", "s"], [ints("s", -1, -1)]), "bad")
    yield Case("a dim of -2", behind("Reshape", ["y", "s"], [ints("s", -2, 5)]), "bad")
    yield Case("another size", behind("Reshape", ["y", "s"], [ints("s", 7, 7)]), "bad")
    yield Case("a huge size", behind("Reshape", ["y", "s"], [ints("s", 1 << 62, 1 << 62)]), "bad")
    yield Case("2^40 zeros", behind("ConstantOfShape", ["s"], [ints("s", 1 << 40)]), "bad")
    yield Case("2^62 zeros", behind("ConstantOfShape", ["s"], [ints("s", 1 << 31, 1 << 31)]), "bad")
    yield Case("-1 zeros", behind("ConstantOfShape", ["s"], [ints("s", -1)]), "bad")
    yield Case("expand to 2^40", behind("Expand", ["y", "s"], [ints("s", 1 << 40, 1, 5)]), "for z")
    yield Case("2^40 tiles", behind("Tile", ["y", "s"], [ints("s", 1 << 40, 1)]), "for z")
    yield Case("pads of 2^40", behind("Pad", ["y", "s"], [ints("s", 0, 0, 0, 1 << 40)]), "for z")
    yield Case("a permutation that is none", behind("Transpose", perm=[0, 0]), "bad")
    yield Case("an axis beyond", behind("Concat", ["y", "y"], axis=7), "bad")
    yield Case("an axis of -2^63", behind("Flatten", axis=-(1 << 63)), "bad")
    yield Case("shapes that do not broadcast", behind("Add", ["y", "t"], [o.tensor("t", [3], 1.0)]), "bad")


def outside():
    def weights(name, *fragments, files=None, **entries):
        return Case(name, small(w=o.external("w", [4, 1, 3, 3], entries)), "'w'", *fragments, files=files)

    def put(name, make):
        return lambda folder: make(folder / name)

    data = lambda p: p.write_bytes(bytes(144))
    up = lambda p: (p.parent.parent / "m.data").write_bytes(bytes(144))
    door = lambda p: os.symlink(p.parent.parent, p)
    yield weights("one up", location="../m.data", files=put("m", up))
    yield weights("in and out", location="sub/../m.data", files=put("m.data", data))
    yield weights("absolute", location="/etc/passwd")
    yield weights("nothing", location="")
    yield weights("missing", "m.data", location="m.data")
    yield weights("link out", "m.data", location="m.data",
                  files=put("m.data", lambda p: os.symlink("/etc/passwd", p)))
    yield weights("folder out", "door", location="door/m.data", files=put("door", door))
    yield weights("link to itself", "m.data", location="m.data",
                  files=put("m.data", lambda p: os.symlink("m.data", p)))
    yield weights("FIFO", "m.data", location="m.data", files=put("m.data", os.mkfifo))
    yield weights("device", "m.data", location="m.data",
                  files=put("m.data", lambda p: os.symlink("/dev/zero", p)))
    yield weights("folder", "m.data", location="m.data", files=put("m.data", os.mkdir))
    for offset in (1, 144, 1 << 40, (1 << 63) - 1, 1 << 63, -1, "x", ""):
        yield weights(f"offset {offset}", location="m.data", offset=offset, length=144,
                      files=put("m.data", data))
    for length in (0, 143, 145, 1 << 40, (1 << 63) - 1, -1, "144 "):
        yield weights(f"length {length}", location="m.data", length=length, files=put("m.data", data))
    yield weights("shorter file", location="m.data", files=put("m.data", lambda p: p.write_bytes(b"abc")))
    yield weights("longer file", location="m.data",
                  files=put("m.data", lambda p: p.write_bytes(bytes(145))))
    yield weights("unknown key", "key", location="m.data", basepath="/etc")
    yield Case("no location", small(w=o.external("w", [4, 1, 3, 3], {})), "'w'")
    yield Case("two locations", small(w=o.external("w", [4, 1, 3, 3], [("location", "a")] * 2)), "'w'")
    yield Case("constants are no way out", small(nodes_=[o.node("Constant", [], ["z"], "bad", value=o.external(
        "t", [1], {"location": "/etc/passwd"}))]), "'z'", "/etc/passwd")


def run_bounded(*args):
    """Exit code, stdout, stderr, peak memory in bytes, and whether it took no longer than it may."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen([str(support.BINARY), *map(str, args)], env=support.environment(),
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        stop = threading.Timer(TIMEOUT, child.kill)
        stop.start()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        in_time = stop.is_alive() and usage.ru_utime + usage.ru_stime < SECONDS
        stop.cancel()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return child.returncode, texts[0], texts[1], usage.ru_maxrss << 10, in_time


class HostileModels(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def write(self, i, case):
        folder = self.folder.path / str(i)
        folder.mkdir()
        path = folder / "hostile.onnx"
        path.write_bytes(case.data)
        if case.files:
            case.files(folder)
        return path

    def check(self, case, done):
        code, out, err, peak, in_time = done
        self.assertTrue(in_time, "took too long")
        if not support.SANITIZER:
            self.assertLess(peak, RSS, err)
        if case.maybe and code == 0:
            return
        self.assertEqual((code, out), (1, ""), err)
        self.assertEqual(len(err.splitlines()), 1, err)
        for fragment in ("hostile", *case.fragments):
            self.assertIn(fragment, err)
        self.assertTrue(err.rstrip("\n").isprintable(), err)

    def refuse_all(self, cases):
        cases = list(cases)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = pool.map(lambda c: run_bounded("inspect", self.write(*c)), enumerate(cases))
            for case, done in zip(cases, runs):
                with self.subTest(case.name):
                    self.check(case, done)

    def test_damaged(self):
        self.refuse_all(damaged())

    def test_models(self):
        self.refuse_all(models())

    def test_names(self):
        self.refuse_all(names())

    def test_tensors(self):
        self.refuse_all(tensors())

    def test_nodes(self):
        self.refuse_all(nodes())

    def test_windows(self):
        self.refuse_all(windows())

    def test_shapes(self):
        self.refuse_all(shapes())

    def test_outside(self):
        self.refuse_all(outside())

    def test_the_small_model_itself(self):
        """What the others bend is right."""
        (path := self.folder.path / "good.onnx").write_bytes(small())
        code, out, err, _, _ = run_bounded("inspect", path)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("Conv+Relu", out)


if __name__ == "__main__":
    unittest.main()
