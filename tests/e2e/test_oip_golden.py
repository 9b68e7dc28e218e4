"""oip_golden.txt, case by case: the reply is what stands there, to the byte."""

import pathlib
import re
import unittest

import onnx_writer as o
import support
import tensors
import wire

TABLE = pathlib.Path(__file__).with_name("oip_golden.txt")
LENGTH = "Inference-Header-Content-Length"

MODELS = {
    # y = (x0 / 2, x3)
    "m": o.model(o.graph([o.node("MatMul", ["x", "w"], ["y"])],
                         [o.tensor("w", [4, 2], [0.5, 0, 0, 0, 0, 0, 0, 1])],
                         [o.value("x", ["n", 4])], [o.value("y", ["n", 2])])),
    "copy": o.model(o.graph([o.node("Identity", ["x"], ["y"])], [], [o.value("x", ["n", "k"])],
                            [o.value("y", ["n", "k"])])),
    "kinds": o.model(o.graph(
        [o.node("Identity", ["a"], ["a2"]), o.node("Identity", ["b"], ["b2"])], [],
        [o.value("a", [2], o.INT64), o.value("b", [3], o.BOOL)],
        [o.value("a2", [2], o.INT64), o.value("b2", [3], o.BOOL)])),
    "simple": o.model(o.graph(
        [o.node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]), o.node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"])], [],
        [o.value("INPUT0", ["n", 4], o.INT32), o.value("INPUT1", ["n", 4], o.INT32)],
        [o.value("OUTPUT0", ["n", 4], o.INT32), o.value("OUTPUT1", ["n", 4], o.INT32)])),
}
# y = (x0, 0, x2) / 4
PETS = {"format": 1, "name": "pets", "input": {"name": "x", "shape": [3]}, "output": {"name": "y"},
        "layers": [{"type": "linear", "name": "l", "out_features": 3, "bias": False}],
        "labels": ["dog", "bird", "cat"]}
PETS_WEIGHTS = {"l.weight": tensors.Tensor((3, 3), [0.25, 0, 0, 0, 0, 0, 0, 0, 0.25])}


class Case:
    def __init__(self, name):
        self.name = name
        self.request, self.reply = [], []
        self.sent = self.wanted = b""

    def add(self, line):
        """A line that is not the case's name."""
        if line[:2] in ("> ", "< "):
            (self.request if line[0] == ">" else self.reply).append(line[2:])
            return
        data = bytes.fromhex(line[4:]) if line.startswith("hex ") else line.encode()
        if self.reply:
            self.wanted += data
        else:
            self.sent += data


def cases():
    found = []
    for line in TABLE.read_text().split("\n"):
        if line.startswith("# "):
            found.append(Case(line[2:]))
        elif line and found:
            found[-1].add(line)
    return found


class Golden(support.ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = support.Folder()
        cls.addClassCleanup(cls.folder.__exit__)
        for name, model in MODELS.items():
            (cls.folder.path / f"{name}.onnx").write_bytes(model)
        cls.ARGS = [cls.folder.path / f"{name}.onnx" for name in MODELS]
        cls.ARGS.append(cls.folder.model("pets", PETS, PETS_WEIGHTS))
        super().setUpClass()

    def check(self, case):
        method, path = case.request[0].split(" ")
        headers = [tuple(re.split(": ?", line, maxsplit=1)) for line in case.request[1:]]
        if method == "POST":
            headers.append(("Content-Length", str(len(case.sent))))
        with self.server.wire() as w:
            w.send(wire.head(method, path, headers) + case.sent)
            reply = w.final()
        (line,) = case.reply
        status, kind, *json_length = line.split(" ")
        self.assertEqual(reply.body, case.wanted)
        self.assertEqual(reply.status, int(status))
        self.assertEqual(reply.header("Content-Type"), kind)
        self.assertEqual(reply.header(LENGTH), json_length[0] if json_length else None)

    def test_table(self):
        table = cases()
        self.assertGreaterEqual(len(table), 40)
        self.assertEqual(len({case.name for case in table}), len(table), "a name comes twice")
        for case in table:
            with self.subTest(case.name):
                self.check(case)


if __name__ == "__main__":
    unittest.main()
