"""Broken model folders: `serve` says in one line which file and item is wrong, and exits with 1."""

import copy
import json
import os
import struct
import time
import unittest

import support
import tensors

SECONDS = 2 * support.SLOWNESS

NETWORK = {"format": 1, "name": "tiny", "input": {"name": "x", "shape": [3, 4, 4]},
           "layers": [{"type": "conv2d", "name": "a", "out_channels": 2, "kernel_size": 3},
                      {"type": "batchnorm2d", "name": "b"}, {"type": "relu", "name": "c"},
                      {"type": "flatten", "name": "d"},
                      {"type": "linear", "name": "e", "out_features": 5}],
           "output": {"name": "y"}}


def ones(*shape, code="f"):
    size = 1
    for d in shape:
        size *= d
    return tensors.Tensor(shape, [1] * size, code)


def weights():
    return {"a.weight": ones(2, 3, 3, 3), "a.bias": ones(2), "b.weight": ones(2), "b.bias": ones(2),
            "b.running_mean": ones(2), "b.running_var": ones(2), "e.weight": ones(5, 8),
            "e.bias": ones(5)}


def changed(**changes):
    """The weights with tensors replaced, added, or (None) left out; '__' stands for '.'."""
    new = weights()
    for name, tensor in changes.items():
        new[name.replace("__", ".")] = tensor
    return {k: v for k, v in new.items() if v is not None}


def network(index=None, drop=(), **changes):
    """The network with keys of layer `index` (None: of the top) changed."""
    new = copy.deepcopy(NETWORK)
    place = new if index is None else new["layers"][index]
    place.update(changes)
    for key in drop:
        del place[key]
    return new


def header_of(tensors_):
    data = tensors.safetensors_bytes(tensors_)
    (size,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def edited(edit, cut=None, extra=b""):
    """A weights file whose header went through edit(header)."""
    header, data = header_of(weights())
    result = edit(header)
    return tensors.safetensors_raw(header if result is None else result, data[:cut] + extra)


def set_item(name, key, value):
    def edit(header):
        header[name][key] = value
    return edit


def move(name, begin, end):
    return set_item(name, "data_offsets", [begin, end])


def text_header(old, new):
    """The header's JSON text with one replacement."""
    header, data = header_of(weights())
    text = json.dumps(header)
    assert old in text
    return tensors.safetensors_raw(text.replace(old, new, 1).encode(), data)


GOOD = tensors.safetensors_bytes(weights())
DATA = len(header_of(weights())[1])
W, J = "model.safetensors", "model.json"

# name, weights (dict, bytes, None: no file), what the message holds
WEIGHTS = [
    ("missing weight", changed(a__weight=None), W, "a.weight"),
    ("missing statistics", changed(b__running_var=None), W, "b.running_var"),
    ("missing bias", changed(e__bias=None), W, "e.bias"),
    ("superfluous tensor", changed(z__weight=ones(2)), W, "z.weight"),
    ("superfluous bias name", changed(a__biases=ones(2)), W, "a.biases"),
    ("wrong kernel", changed(a__weight=ones(2, 3, 5, 5)), W, "a.weight", "[2,3,5,5]", "[2,3,3,3]"),
    ("wrong input channels", changed(a__weight=ones(2, 4, 3, 3)), W, "a.weight", "[2,4,3,3]"),
    ("transposed linear", changed(e__weight=ones(8, 5)), W, "e.weight", "[8,5]", "[5,8]"),
    ("wrong bias length", changed(e__bias=ones(6)), W, "e.bias", "[6]"),
    ("wrong statistics length", changed(b__running_mean=ones(3)), W, "b.running_mean", "[3]"),
    ("rank", changed(e__bias=ones(5, 1)), W, "e.bias", "[5,1]"),
    ("integer weights", changed(e__bias=ones(5, code="q")), W, "e.bias", "I64"),
    ("no weights file", None, W),
    ("empty file", b"", W),
    ("seven bytes", b"\0" * 7, W),
    ("header of length 0", b"\0" * 8, W),
    ("header length beyond the file", struct.pack("<Q", 1 << 20) + b"{}", W),
    ("header length 2^63", struct.pack("<Q", 1 << 63) + b"{}", W),
    ("header length 2^64 - 1", b"\xff" * 8 + b"{}", W),
    ("header not JSON", tensors.safetensors_raw(b"hello wo", b""), W),
    ("header an array", tensors.safetensors_raw(b"[      ]", b""), W),
    ("header truncated", GOOD[:100], W),
    ("header invalid UTF-8", GOOD.replace(b'"e.bias"', b'"e.bi\xff\xff"', 1), W),
    ("duplicate tensor", text_header('"a.bias"', '"a.weight"'), W, "a.weight"),
    ("deep header", tensors.safetensors_raw(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", b""), W),
    ("data missing", GOOD[:-DATA], W),
    ("data one byte short", GOOD[:-1], W),
    ("data one byte long", GOOD + b"\0", W),
    ("end beyond the file", edited(move("e.bias", DATA - 20, DATA + 4)), W, "e.bias"),
    ("end before begin", edited(move("e.bias", DATA, DATA - 20)), W, "e.bias"),
    ("negative begin", edited(move("a.weight", -4, 212)), W, "a.weight"),
    ("fractional offset", edited(move("a.weight", 0.5, 216)), W, "a.weight"),
    ("offset beyond 64 bits", edited(move("a.weight", 0, 1 << 64)), W),
    ("offset near 2^63", edited(move("e.bias", (1 << 63) - 21, (1 << 63) - 1)), W, "e.bias"),
    ("three offsets", edited(set_item("a.weight", "data_offsets", [0, 216, 216])), W, "a.weight"),
    ("offsets a text", edited(set_item("a.weight", "data_offsets", "0-216")), W, "a.weight"),
    ("overlap", edited(move("a.bias", 212, 220)), W),
    ("same place twice", edited(move("b.bias", 224, 232)), W),
    ("hole", edited(lambda h: h.pop("b.bias") and None), W),
    ("hole at the start", edited(lambda h: h.pop("a.weight") and None), W),
    ("bytes behind the last tensor", edited(lambda h: h.pop("e.bias") and None), W),
    ("shape and span differ", edited(set_item("e.bias", "shape", [6])), W, "e.bias"),
    ("negative dimension", edited(set_item("e.bias", "shape", [-5])), W, "e.bias"),
    ("dimension beyond 64 bits", edited(set_item("e.bias", "shape", [1 << 64])), W),
    ("shape overflows", edited(set_item("e.bias", "shape", [1 << 62, 4, 4])), W, "e.bias"),
    ("shape wraps to the right size", edited(set_item("e.bias", "shape", [5, (1 << 62) + 1])), W,
     "e.bias"),
    ("bytes overflow", edited(set_item("e.bias", "shape", [(1 << 62) + 5])), W, "e.bias"),
    ("shape a number", edited(set_item("e.bias", "shape", 5)), W, "e.bias"),
    ("shape of texts", edited(set_item("e.bias", "shape", ["5"])), W, "e.bias"),
    ("rank 1000", edited(set_item("e.bias", "shape", [5] + [1] * 999)), W, "e.bias"),
    ("unknown dtype", edited(set_item("e.bias", "dtype", "F31")), W, "e.bias", "F31"),
    ("dtype a number", edited(set_item("e.bias", "dtype", 32)), W, "e.bias"),
    ("no dtype", edited(lambda h: h["e.bias"].pop("dtype") and None), W, "e.bias"),
    ("no shape", edited(lambda h: h["e.bias"].pop("shape") and None), W, "e.bias"),
    ("no offsets", edited(lambda h: h["e.bias"].pop("data_offsets") and None), W, "e.bias"),
    ("unknown key", edited(set_item("e.bias", "stride", [1])), W, "e.bias", "data_offsets"),
    ("tensor a number", edited(lambda h: h.update({"e.bias": 5})), W, "e.bias"),
    ("metadata not texts", edited(lambda h: h.update({"__metadata__": {"a": 5}})), W, "__metadata__"),
    ("metadata an array", edited(lambda h: h.update({"__metadata__": []})), W, "__metadata__"),
]

# name, model.json (dict or bytes, None: no file), what the message holds
NETWORKS = [
    ("empty folder", None, "model.json"),
    ("empty file", b"", J),
    ("truncated", json.dumps(NETWORK).encode()[:200], J),
    ("trailing text", json.dumps(NETWORK).encode() + b"x", J),
    ("an array", b"[]", J),
    ("duplicate key", json.dumps(NETWORK).replace('"format"', '"name": "x", "format"', 1).encode(), J),
    ("invalid UTF-8", json.dumps(NETWORK).encode().replace(b"tiny", b"ti\xffny"), J),
    ("deep", b'{"a":' * 5000 + b"1" + b"}" * 5000, J),
    ("no format", network(drop=["format"]), J, "format"),
    ("format 2", network(format=2), J, "format", "1"),
    ("unknown top key", network(optimizer="adam"), J, "optimizer"),
    ("no input", network(drop=["input"]), J, "input"),
    ("input without shape", network(input={"name": "x"}), J, "shape"),
    ("unknown input key", network(input={"name": "x", "shape": [3, 4, 4], "colour": 1}), J, "colour"),
    ("negative input", network(input={"name": "x", "shape": [3, -4, 4]}), J, "shape[1]"),
    ("zero input", network(input={"name": "x", "shape": [0, 4, 4]}), J),
    ("input overflows", network(input={"name": "x", "shape": [1 << 62, 4, 4]}), J),
    ("input of texts", network(input={"name": "x", "shape": ["3"]}), J),
    ("no layers", network(drop=["layers"]), J, "layers"),
    ("empty layers", network(layers=[]), J, "layers"),
    ("layers an object", network(layers={}), J, "layers"),
    ("layer a text", network(layers=["relu"]), J),
    ("unknown type", network(2, type="relu7"), J, "relu7", "c"),
    ("upper-case type", network(2, type="ReLU"), J, "ReLU"),
    ("no type", network(2, drop=["type"]), J, "type", "c"),
    ("type a number", network(2, type=5), J, "type"),
    ("unknown key", network(0, strides=2), J, "strides", "a"),
    ("key of another type", network(2, negative_slope=0.1), J, "negative_slope", "c"),
    ("duplicate name", network(3, name="c"), J, "c"),
    ("no out_channels", network(0, drop=["out_channels"]), J, "out_channels", "a"),
    ("no kernel_size", network(0, drop=["kernel_size"]), J, "kernel_size", "a"),
    ("out_channels 0", network(0, out_channels=0), J, "out_channels", "a"),
    ("out_channels negative", network(0, out_channels=-2), J, "out_channels", "a"),
    ("out_channels huge", network(0, out_channels=1 << 62), J, "a"),
    ("out_channels a fraction", network(0, out_channels=2.5), J, "out_channels", "a"),
    ("out_channels a text", network(0, out_channels="2"), J, "out_channels", "a"),
    ("kernel 0", network(0, kernel_size=0), J, "kernel_size", "a"),
    ("kernel of three", network(0, kernel_size=[3, 3, 3]), J, "kernel_size", "a"),
    ("kernel larger than the image", network(0, kernel_size=9), J, "a"),
    ("kernel 2^31", network(0, kernel_size=1 << 31), J, "a"),
    ("stride 0", network(0, stride=0), J, "stride", "a"),
    ("dilation 0", network(0, dilation=0), J, "dilation", "a"),
    ("negative padding", network(0, padding=-1), J, "padding", "a"),
    ("huge padding", network(0, padding=1 << 40), J, "a"),
    ("padding a text", network(0, padding="around"), J, "padding", "a"),
    ("groups 0", network(0, groups=0), J, "groups", "a"),
    ("groups that do not divide", network(0, groups=2), J, "groups", "a"),
    ("wrong in_channels", network(0, in_channels=4), J, "in_channels", "a", "4", "3"),
    ("wrong in_features", network(4, in_features=9), J, "in_features", "e", "9", "8"),
    ("wrong num_features", network(1, num_features=3), J, "num_features", "b", "3", "2"),
    ("bias a number", network(0, bias=7), J, "bias", "a"),
    ("conv1d on an image", network(0, type="conv1d"), J, "a"),
    ("conv2d on a vector", network(input={"name": "x", "shape": [3]}), J, "a"),
    ("negative eps", network(1, eps=-1), J, "eps", "b"),
    ("unknown output key", network(output={"name": "y", "shape": [5]}), J, "shape"),
    ("labels of numbers", network(labels=[1, 2, 3, 4, 5]), J, "labels"),
    ("too few labels", network(labels=["a"]), J, "labels"),
    ("unknown init key", network(init={"scheme": "zeros", "gain": 1}), J, "gain"),
    ("unknown init scheme", network(init={"scheme": "orthogonal"}), J, "orthogonal"),
]


class Broken(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def refused(self, path, *fragments):
        """`serve PATH` ends with 1, within two seconds, with one line that says it all."""
        start = time.monotonic()
        done = support.run("serve", path, "--port", support.free_port(), "--log-format", "text",
                           timeout=30)
        seconds = time.monotonic() - start
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertLess(seconds, SECONDS)
        for fragment in fragments:
            self.assertIn(fragment, lines[0])

    def test_the_base_is_sound(self):
        model = self.folder.model("tiny", NETWORK, weights())
        with support.Server(model=model) as server, server.client() as client:
            reply = client.post("/infer", [0] * 48)
            self.assertEqual(reply.status, 200, reply)
            # conv: bias 1; BatchNorm: (1 - 1) / 1 + 1; linear: 8 * 1 + 1
            for value in reply.json()["outputs"][0]["data"]:
                self.assertAlmostEqual(value, 9, delta=1e-5)

    def test_weights(self):
        for i, (name, data, *fragments) in enumerate(WEIGHTS):
            with self.subTest(name):
                self.refused(self.folder.model(f"w{i}", NETWORK, data), *fragments)

    def test_networks(self):
        for i, (name, text, *fragments) in enumerate(NETWORKS):
            with self.subTest(name):
                data = None if text is None else weights()
                self.refused(self.folder.model(f"n{i}", text, data), *fragments)

    def test_prefix_and_counter_are_fine(self):
        """What PyTorch adds: a wrapper's prefix, num_batches_tracked."""
        data = {f"module.{k}": v for k, v in weights().items()}
        data["module.b.num_batches_tracked"] = tensors.Tensor((), [7], "q")
        with support.Server(model=self.folder.model("tiny", NETWORK, data)) as server:
            with server.client() as client:
                self.assertEqual(client.post("/infer", [0] * 48).status, 200)

    def test_places(self):
        self.refused(self.folder.path / "nothing", "nothing")
        self.refused("", )
        fifo = self.folder.path / "fifo"
        os.mkfifo(fifo)
        self.refused(fifo, "fifo")
        self.refused("/dev/null", "/dev/null")
        self.refused("/dev/zero", "/dev/zero")

    def test_odd_files_inside(self):
        for i, (name, make) in enumerate([
                ("FIFO", os.mkfifo), ("folder", os.mkdir),
                ("endless device", lambda p: os.symlink("/dev/zero", p)),
                ("dangling link", lambda p: os.symlink("nowhere", p)),
                ("link to itself", lambda p: os.symlink(p, p))]):
            for file in (J, W):
                with self.subTest(name, file=file):
                    model = self.folder.model(f"o{i}{file[6]}", NETWORK, weights())
                    (model / file).unlink()
                    make(model / file)
                    self.refused(model, file)

    def test_unreadable(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        model = self.folder.model("tiny", NETWORK, weights())
        (model / J).chmod(0)
        self.refused(model, J)

    def test_truncated_everywhere(self):
        """A weights file cut at any place is refused; the process never dies of a signal."""
        size = len(GOOD)
        for n in sorted({*range(0, size, max(1, size // 40)), size - 4, size - 2}):
            with self.subTest(bytes=n):
                model = self.folder.model(f"t{n}", NETWORK, GOOD[:n])
                self.refused(model, W)

    def test_other_commands_refuse_as_well(self):
        model = self.folder.model("tiny", NETWORK, changed(a__bias=None))
        npy = self.folder.path / "x.npy"
        tensors.npy_write(npy, ones(1, 3, 4, 4))
        for args in (("inspect", model), ("infer", model, npy)):
            with self.subTest(args[0]):
                done = support.run(*args)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("a.bias", done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
