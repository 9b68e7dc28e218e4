"""rectifier inspect: table, JSON, Graphviz, sizes."""

import json
import re
import unittest

import support


class Inspect(unittest.TestCase):
    def ok(self, *args):
        done = support.run("inspect", support.DIGITS, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def facts(self, *args):
        return json.loads(self.ok("--json", *args))

    def test_table(self):
        text = self.ok()
        for word in ("features.2", "Conv+BatchNorm+Relu", "classifier.3", "softmax",
                     "input image: FP32 [-1,1,8,8], here [1,1,8,8]\n",
                     "output probabilities: FP32 [-1,10]\n"):
            self.assertIn(word, text)
        numbers = re.sub(r"(?<=\d)[,_ ](?=\d{3}\b)", "", text)
        self.assertRegex(numbers, r"(?m)^total +23034 +460416$")
        self.assertRegex(text, r"[\d.]+ KiB of memory for weights and tables, [\d.]+ KiB more")

    def test_json(self):
        facts = self.facts()
        self.assertEqual(facts["parameters"], 23034)
        # 16*1*9*64 + 32*16*9*64 + 32*32*9*16 + 64*128 + 10*64
        self.assertEqual(facts["macs"], 9216 + 294912 + 147456 + 8192 + 640)
        self.assertEqual(facts["macs"], sum(layer["macs"] for layer in facts["layers"]))
        self.assertGreater(facts["model_bytes"], 4 * facts["parameters"])
        # no weights twice: Winograd makes 16 of 9, panels are padded, and nodes have a state
        self.assertLess(facts["model_bytes"], 10 * facts["parameters"] + 4096)
        self.assertGreater(facts["session_bytes"], 4 * 32 * 64)
        # an age and a bit for each of 3648 units, and 31 slots of 144 channels
        self.assertGreater(facts["activity_bytes"], 3648 + 3648 // 8 + 31 * 144 * 36)
        self.assertGreater(facts["activity_session_bytes"], 3648 // 8 + 144 * 36)
        self.assertEqual(facts["outputs"], [
            {"name": "probabilities", "datatype": "FP32", "declared_shape": [-1, 10]}])
        layer = {layer["name"]: layer for layer in facts["layers"]}["features.5"]
        self.assertEqual((layer["inputs"], layer["outputs"], layer["output_shape"]),
                         (["features.2"], ["features.5"], [1, 32, 8, 8]))

    def test_rows_in_a_run(self):
        """As many as fit a quarter of the memory, divided by the threads, at least one."""
        def rows(memory, limit=32):
            return self.facts("--threads", "2", "--memory", memory, "--max-batch", str(limit))["max_batch"]
        self.assertEqual(rows("4GiB"), 32)
        self.assertEqual(rows("4GiB", 7), 7)
        self.assertEqual(rows("1"), 1)
        some = rows("9600KiB")
        self.assertIn(some, range(2, 32))
        for n, fits in ((some, True), (some + 1, False)):
            need = self.facts("--batch", str(n))["session_bytes"] + n * 4 * 64
            self.assertEqual(need <= (9600 << 10) // 4 // 2, fits)

    def test_sizes(self):
        one = self.facts()
        for args in (("--batch", 4), ("--shape", "image=4,1,8,8")):
            with self.subTest(args):
                four = self.facts(*args)
                self.assertEqual(four["inputs"],
                                 [{"name": "image", "datatype": "FP32", "declared_shape": [-1, 1, 8, 8],
                                   "shape": [4, 1, 8, 8]}])
                self.assertEqual(four["macs"], 4 * one["macs"])
                self.assertEqual(four["parameters"], one["parameters"])
                self.assertEqual(four["model_bytes"], one["model_bytes"])

    def test_sizes_that_are_none(self):
        for arg, words in (("image=1,1,8,7", ("image", "[1,1,8,7]")), ("image=", ("image", "[]")),
                           ("image", ("NAME=SIZES",)), ("image=1,a", ("NAME=SIZES",)),
                           ("image=1,,2", ("NAME=SIZES",)), ("image=1,2,", ("NAME=SIZES",)),
                           ("image=-1,1,8,8", ("NAME=SIZES",)),
                           ("image=1,1,1,1,1,1,1,1,1", ("NAME=SIZES",)),
                           ("image=18446744073709551616", ("NAME=SIZES",)),
                           ("image=9223372036854775807,1,8,8", ("image",)),
                           ("other=1,1,8,8", ("'other'", "'image'"))):
            with self.subTest(arg):
                done = support.run("inspect", support.DIGITS, "--shape", arg)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                for word in words:
                    self.assertIn(word, done.stderr)

    def test_graphviz(self):
        text = self.ok("--dot")
        lines = text.splitlines()
        self.assertEqual((lines[0], lines[-1]), ('digraph "digits" {', "}"))
        boxes = dict(re.findall(r'^  (s\d+) \[label="([^"]*)"\];$', text, re.M))
        values = dict(re.findall(r'^  (v\d+) \[shape=ellipse, label="([^"]*)"\];$', text, re.M))
        arrows = re.findall(r"^  ([sv]\d+) -> ([sv]\d+)", text, re.M)
        self.assertEqual(sorted(values.values()), ["image", "probabilities"])
        self.assertIn(r"features.2\nConv+BatchNorm+Relu\n[1,16,8,8]", boxes.values())
        # a chain: every box but the last feeds the next, from the input to the output
        self.assertEqual(len(boxes), len(self.facts()["layers"]))
        self.assertEqual(len(arrows), len(boxes) + 1)
        names = {**boxes, **values}
        self.assertEqual({names[a] for a, _ in arrows} - {names[b] for _, b in arrows}, {"image"})
        self.assertEqual({names[b] for _, b in arrows} - {names[a] for a, _ in arrows},
                         {"probabilities"})

    def test_one_model(self):
        for args in ((), (support.DIGITS, support.DIGITS)):
            done = support.run("inspect", *args)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("one MODEL", done.stderr)

    def test_one_form(self):
        done = support.run("inspect", support.DIGITS, "--json", "--dot")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--dot", done.stderr)


def conv(name):
    return {"type": "conv2d", "name": name, "out_channels": 4, "kernel_size": 3, "padding": 1}


BRANCHED = {"format": 1, "name": "branched", "input": {"name": "x", "shape": [4, 8, 8]},
            "init": {"scheme": "kaiming_normal", "seed": 1},
            "layers": [conv("a"), {"type": "relu"}, {"type": "maxpool2d", "kernel_size": 2},
                       {"type": "residual", "layers": [conv("b"), {"type": "relu"}, conv("c")]}]}


class Graph(support.ServerTest):
    @classmethod
    def setUpClass(cls):
        folder = support.Folder()
        cls.addClassCleanup(folder.__exit__)
        cls.MODEL = folder.model("branched", BRANCHED)
        super().setUpClass()

    def test_as_inspected(self):
        with self.server.client() as client:
            graph = client.get("/v2/models/branched/graph").json()
            self.assert_error(client.get("/v2/models/none/graph"), 404, "none")
        told = json.loads(support.run("inspect", "--json", self.MODEL).stdout)
        self.assertEqual(len(graph["steps"]), len(told["layers"]))
        made = {}  # value -> the name that inspect gives it
        for step, layer in zip(graph["steps"], told["layers"]):
            for key, other in (("name", "name"), ("path", "path"), ("shape", "output_shape"),
                               ("parameters", "parameters"), ("macs", "macs")):
                self.assertEqual(step[key], layer[other], step["name"])
            for value, name in zip(step["inputs"] + step["outputs"], layer["inputs"] + layer["outputs"]):
                self.assertEqual(made.setdefault(value, name), name, "one value, two names")
        self.assertEqual([[made[value] for value in graph[key]] for key in ("inputs", "outputs")],
                         [[tensor["name"] for tensor in told[key]] for key in ("inputs", "outputs")])
        self.assertTrue(any(len(s["inputs"]) == 2 for s in graph["steps"]), "no branch in it")


if __name__ == "__main__":
    unittest.main()
