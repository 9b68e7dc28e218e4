"""`rectifier audit`: over data sets, and over what replicas have counted."""

import json
import os
import pty
import re
import subprocess
import unittest

import onnx_writer as o
import support
import tensors
from test_doctored import DYING, KILLED, doctored

IMAGES = support.DIGITS / "test_images.npy"
LAYERS = ("features.2", "features.5", "features.9", "classifier.1")

TWO = o.model(o.graph([o.node("Add", ["a", "b"], ["c"]), o.node("Relu", ["c"], ["y"])], [],
                      [o.value("a", ["n", 3]), o.value("b", ["n", 3])], [o.value("y", ["n", 3])]))


def audit(*args, **kwargs):
    return support.run("audit", *args, **kwargs)


def audit_json(test, *args):
    done = audit(*args, "--json")
    test.assertEqual(done.returncode, 0, done.stderr)
    return json.loads(done.stdout)


def layers_of(report):
    return {layer["name"]: layer for layer in report["layers"]}


def recount(tensor):
    """Of an activation's output: values, zeros, channels that never fired, units that never did."""
    channels = tensor.shape[1]
    size = tensor.row_size // channels
    fired = {i % tensor.row_size for i, v in enumerate(tensor.values) if v > 0}
    alive = {unit // size for unit in fired}
    return (len(tensor.values), sum(v == 0 for v in tensor.values),
            sorted(set(range(channels)) - alive), tensor.row_size - len(fired))


class OverData(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def write(self, name, tensor):
        path = self.folder.path / name
        tensors.npy_write(path, tensor)
        return path

    def test_equals_a_recount(self):
        model = doctored(self.folder, "digits", KILLED.values())
        kept, _ = support.infer_offline(self, self.folder, model, support.Digits.get().images,
                                        "--keep", "activations")
        for batch, threads in ((1, 1), (7, 2), (32, 1), (1000, 2)):
            report = audit_json(self, model, IMAGES, "--batch", batch, "--threads", threads)
            self.assertEqual((report["inputs"], report["distinct_inputs"]), (360, 360))
            for name, layer in layers_of(report).items():
                values, zeros, dead, dead_units = recount(kept[name])
                self.assertEqual((layer["values"], layer["zeros"]), (values, zeros), name)
                self.assertEqual(layer["channels"]["dead_indices"], dead, name)
                self.assertEqual(layer["units"]["dead"], dead_units, name)
                self.assertEqual(layer["units"]["total"], kept[name].row_size, name)
            self.assertEqual(report["total"]["dead"],
                             sum(len(recount(kept[name])[2]) for name in LAYERS))

    def test_saving(self):
        """Against the network without the killed channels, counted by hand."""
        model = doctored(self.folder, "digits", KILLED.values())
        report = audit_json(self, model, IMAGES)
        left = {name: layer["channels"]["total"] - layer["channels"]["dead"]
                for name, layer in layers_of(report).items()}

        def size(c2, c5, c9, fc):
            conv = [(1, c2, 64), (c2, c5, 64), (c5, c9, 16)]
            weights = sum(a * b * 9 for a, b, _ in conv) + c9 * 4 * fc + fc * 10
            macs = sum(a * b * 9 * n for a, b, n in conv) + c9 * 4 * fc + fc * 10
            return weights + 2 * (c2 + c5 + c9) + fc + 10, macs

        before, after = size(16, 32, 32, 64), size(*(left[name] for name in LAYERS))
        prune = report["prune"]
        self.assertEqual((prune["of_parameters"], prune["of_macs"]), before)
        self.assertEqual(prune["channels"], report["total"]["dead"])
        self.assertAlmostEqual(prune["parameters"], before[0] - after[0], delta=4)
        self.assertAlmostEqual(prune["macs"], before[1] - after[1], delta=4)

    def test_table(self):
        model = doctored(self.folder, "digits", KILLED.values())
        done = audit(model, IMAGES)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr, "", "a progress bar where nobody watches")
        self.assertIn("digits, version 1: 360 inputs", done.stdout)
        self.assertRegex(done.stdout, r"features\.2 +Relu +3/16 +18\.8 %")
        self.assertRegex(done.stdout, r"features\.2 .*[#]{5,}\.+ +\d+\.\d+ %.* healthy")
        self.assertIn("dead in features.2: 3, 7, 15\n", done.stdout)
        self.assertIn(" MACs (", done.stdout)

    def on_a_terminal(self, *args):
        """Exit code, stdout, and what a terminal that stderr is would have shown."""
        ours, theirs = pty.openpty()
        with open(ours, "rb", buffering=0) as terminal:
            done = subprocess.run([str(support.BINARY), "audit", *map(str, args)], env=support.environment(),
                                  stdout=subprocess.PIPE, stderr=theirs, timeout=60 * support.SLOWNESS)
            os.close(theirs)
            shown = b""
            try:
                while more := terminal.read(65536):
                    shown += more
            except OSError:  # how the end of a terminal reads
                pass
        return done.returncode, done.stdout, shown.decode()

    def test_progress_on_a_terminal(self):
        code, out, shown = self.on_a_terminal("digits", IMAGES, "--batch", "9")
        self.assertEqual(code, 0)
        steps = re.findall(r"\r\[(#*)\.*\] +(\d+) %  (\d+) of 360 inputs", shown)
        self.assertEqual(steps[0], ("", "0", "0"))
        self.assertEqual(steps[-1], ("#" * 40, "100", "360"))
        self.assertEqual([int(n) for _, _, n in steps], sorted(int(n) for _, _, n in steps))
        self.assertNotIn(b"#]", out)

    def test_an_error_begins_a_line_of_its_own(self):
        code, _, shown = self.on_a_terminal("digits", self.write_late())
        self.assertEqual(code, 1)
        self.assertRegex(shown, r" of 360 inputs\r\nrectifier: [^\r\n]+\r\n$")

    def write_late(self):
        """A row behind the first batch has a number that no FP32 is."""
        values = [0.0] * (360 * 64)
        values[40 * 64 + 3] = 1e300
        return self.write("late.npy", tensors.Tensor((360, 64), values, "d"))

    def test_verdicts_and_exit_codes(self):
        dying = doctored(self.folder, "digits", [DYING])
        cases = [((), 0, ""), (("--fail-on", "dying"), 3, "features.5 is dying: 17 of 32"),
                 (("--fail-on", "sparsity=0.99"), 0, ""),
                 (("--fail-on", "sparsity=0.7"), 3, "features.5 has sparsity 0.7"),
                 (("--fail-on", "sparsity=0.99", "--fail-on", "dying"), 3, "features.5 is dying"),
                 (("--fail-on", "dying", "--activity-min-inputs", "361"), 1, "361 different inputs"),
                 (("--fail-on", "died"), 2, "dying or sparsity=0.9"),
                 (("--fail-on", "sparsity=2"), 2, "dying or sparsity=0.9"),
                 (("--from-training",), 2, "--write-baseline")]
        for args, code, text in cases:
            done = audit(dying, IMAGES, *args)
            self.assertEqual(done.returncode, code, f"{args}: {done.stderr}")
            self.assertIn(text, done.stderr)
        self.assertEqual(audit("digits", IMAGES, "--fail-on", "dying").returncode, 0)

    def test_unknown_below_the_minimum(self):
        few = self.write("few.npy", support.Digits.get().images.rows(0, 10))
        report = audit_json(self, "digits", few)
        self.assertIsNone(report["total"]["dead"])
        self.assertEqual(report["total"]["verdict"], "unknown")
        self.assertIn("from 300 different inputs on", audit("digits", few).stdout)
        one = support.Digits.get().images.rows(0, 1)
        same = tensors.Tensor((400, *one.shape[1:]), one.values * 400)
        report = audit_json(self, "digits", self.write("same.npy", same))
        self.assertEqual((report["inputs"], report["distinct_inputs"]), (400, 1))
        self.assertEqual(report["total"]["verdict"], "unknown")
        many = tensors.Tensor((4097, *one.shape[1:]), one.values * 4097)
        for tensor, text in ((one, ": 1 inputs, 1 different\n"), (same, ": 400 inputs, 1 different\n"),
                             (many, ": 4097 inputs, 1 different among the newest 4096\n")):
            self.assertIn(text, audit("digits", self.write("some.npy", tensor)).stdout)

    def test_no_verdict_on_what_is_nearly_silent(self):
        network = {"format": 1, "name": "leaky", "input": {"name": "x", "shape": [4]},
                   "init": {"scheme": "kaiming_normal", "seed": 1},
                   "layers": [{"type": "linear", "out_features": 3}, {"type": "leakyrelu", "name": "r"}]}
        data = self.write("data.npy", tensors.Tensor((400, 4), [float(i % 401) for i in range(1600)]))
        report = audit_json(self, self.folder.model("leaky", network), data)
        self.assertEqual((report["layers"][0]["verdict"], report["total"]["verdict"]), (None, None))

    def test_dead_threshold(self):
        report = layers_of(audit_json(self, "digits", IMAGES, "--dead-threshold", "4"))
        kept, _ = support.infer_offline(self, self.folder, "digits", support.Digits.get().images,
                                        "--keep", "activations")
        for name, layer in report.items():
            tensor = kept[name]
            size = tensor.row_size // tensor.shape[1]
            above = {i % tensor.row_size // size for i, v in enumerate(tensor.values) if v > 4}
            self.assertEqual(layer["channels"]["dead_indices"],
                             sorted(set(range(tensor.shape[1])) - above), name)
            self.assertIsNone(layer["units"]["dead"])

    def test_other_shares(self):
        """Where 7 of 64 channels are dead: of another share on, the layer is dying; and so on."""
        usual = layers_of(audit_json(self, "digits", IMAGES))
        name = next(n for n, layer in usual.items() if layer["channels"]["dead"])
        dead = usual[name]["channels"]["dead"] / usual[name]["channels"]["total"]
        self.assertEqual((usual[name]["verdict"], usual[name]["notes"]), ("healthy", []))
        strict = layers_of(audit_json(self, "digits", IMAGES, "--dying", f"{dead - 0.001}", "--near-dead", "1",
                                      "--high-sparsity", "0.25"))[name]
        self.assertEqual(strict["verdict"], "dying")
        self.assertGreater(strict["channels"]["near_dead"], usual[name]["channels"]["near_dead"])
        self.assertIn("more than 25 % zeros", strict["notes"][0])
        lenient = layers_of(audit_json(self, "digits", IMAGES, "--dying", f"{dead}"))[name]
        self.assertEqual(lenient["verdict"], "healthy")
        done = audit("digits", IMAGES, "--dying", "1.5")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--dying: expected 0 to 1, got '1.5'", done.stderr)

    def test_other_types_and_flat_rows(self):
        images = support.Digits.get().images
        want = layers_of(audit_json(self, "digits", IMAGES))
        flat = tensors.Tensor((360, 64), [v for v in images.values], "d")
        got = layers_of(audit_json(self, "digits", self.write("flat.npy", flat)))
        self.assertEqual(got, want)

    def test_several_inputs(self):
        model = self.folder.path / "two.onnx"
        model.write_bytes(TWO)
        values = [float(i % 5 - 2) for i in range(900)]
        a = self.write("a.npy", tensors.Tensor((300, 3), values))
        b = self.write("b.npy", tensors.Tensor((300, 3), [v / 2 - 1 for v in values]))
        (layer,) = audit_json(self, model, f"b={b}", f"a={a}", "--batch", "7")["layers"]
        sums = [v + v / 2 - 1 for v in values]
        self.assertEqual(layer["zeros"], sum(v <= 0 for v in sums))
        self.assertEqual(layer["max"], max(sums))
        short = self.write("short.npy", tensors.Tensor((299, 3), values[:897]))
        for args, text in (((f"a={a}",), "add b=FILE.npy"), ((a, b), "the model has 2 inputs"),
                           ((f"a={a}", f"b={short}"), "has 299 rows")):
            done = audit(model, *args)
            self.assertEqual(done.returncode, 1)
            self.assertIn(text, done.stderr)

    def test_bad_data(self):
        images = support.Digits.get().images
        good = self.folder.path / "good.npy"
        tensors.npy_write(good, images)
        fortran = self.folder.path / "fortran.npy"
        fortran.write_bytes(tensors.npy_header("<f4", (360, 1, 8, 8), True) + images.tobytes())
        short = self.folder.path / "short.npy"
        short.write_bytes(good.read_bytes()[:-4])
        empty = self.write("empty.npy", tensors.Tensor((0, 1, 8, 8), []))
        single = self.write("single.npy", tensors.Tensor((1, 8, 8), images.row(0)))
        wide = self.write("wide.npy", tensors.Tensor((2, 1, 8, 9), [0.0] * 144))
        text = self.folder.path / "text.npy"
        text.write_text("[[1,2]]")
        cases = [((fortran,), "Fortran order"), ((short,), "needs"), ((empty,), "no row"),
                 ((wide,), "wide.npy: rows 0 to 1: npy array of shape [2,1,8,9]"),
                 ((self.write_late(),), "late.npy: rows 32 to 63: npy array: element 515 is 1e300"), ((text,), "not an npy file"),
                 (("nothing.npy",), "cannot be opened"), ((good, good), "was given before"),
                 ((f"imag={good}",), "no input is called 'imag'; inputs: 'image'"),
                 ((self.folder.path,), "cannot be read")]
        for args, text in cases:
            done = audit("digits", *args)
            self.assertEqual(done.returncode, 1, f"{args}: {done.stderr}")
            self.assertIn(text, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertEqual(audit("digits", f"image={good}").returncode, 0)
        self.assertEqual(audit_json(self, "digits", single)["inputs"], 1)
        self.assertEqual(audit("digits").returncode, 2)

    @unittest.skipIf(support.SANITIZER, "sanitizers reserve more than there is here")
    def test_larger_than_memory(self):
        """2 GiB of zeros, of which the disk holds nothing, in half a gigabyte of addresses."""
        rows, side = 512, 1024
        network = {"format": 1, "name": "big", "input": {"name": "x", "shape": [1, side, side]},
                   "init": {"scheme": "kaiming_normal", "seed": 1},
                   "layers": [{"type": "maxpool2d", "kernel_size": 8}, {"type": "relu", "name": "r"},
                              {"type": "flatten"}]}
        model = self.folder.model("big", network)
        data = self.folder.path / "big.npy"
        header = tensors.npy_header("<f4", (rows, 1, side, side))
        with open(data, "wb") as f:
            f.write(header)
            f.truncate(len(header) + rows * side * side * 4)
        command = f"ulimit -v {512 << 10}; exec \"$@\""
        done = subprocess.run(["bash", "-c", command, "-", str(support.BINARY), "audit", str(model),
                               str(data), "--batch", "4", "--threads", "1", "--json"],
                              env=support.environment(), capture_output=True,
                              timeout=300 * support.SLOWNESS)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["inputs"], rows)
        self.assertEqual(report["layers"][0]["zeros"], rows * (side // 8) ** 2)


class Fleet(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def feed(self, server, tensor):
        with server.client() as client:
            reply = client.post("/infer", tensor.tobytes(), support.RAW)
            self.assertEqual(reply.status, 200, reply)
            return client.get("/v2/models/digits/activity?channels=1").body

    def test_sums_and_intersections(self):
        """Replicas that saw different inputs: each has dead channels of its own."""
        images = support.Digits.get().images
        dark = tensors.Tensor(images.shape, [v * 0.05 for v in images.values])
        with support.Server() as one, support.Server() as two:
            saved = self.folder.path / "two.json"
            a = layers_of(json.loads(self.feed(one, images)))
            text = self.feed(two, dark)
            saved.write_bytes(text)
            b = layers_of(json.loads(text))
            url = f"http://127.0.0.1:{one.port}/v2/models/digits"
            for sources in ((url, saved), (saved, url + "/versions/1/activity"),
                            (url, f"http://127.0.0.1:{two.port}/v2/models/digits")):
                merged = audit_json(self, "--merge", *sources)
                self.assertEqual((merged["inputs"], merged["replicas"]), (720, 2))
                for name, layer in layers_of(merged).items():
                    for key in ("values", "zeros", "nonfinite"):
                        self.assertEqual(layer[key], a[name][key] + b[name][key], f"{name} {key}")
                    self.assertEqual(layer["max"], max(a[name]["max"], b[name]["max"]))
                    both = set(a[name]["channels"]["dead_indices"]) & set(
                        b[name]["channels"]["dead_indices"])
                    self.assertEqual(layer["channels"]["dead_indices"], sorted(both))
                    mean = (a[name]["mean"] * a[name]["values"] +
                            b[name]["mean"] * b[name]["values"]) / layer["values"]
                    self.assertAlmostEqual(layer["mean"], mean, places=9)
            self.assertNotEqual(a["classifier.1"]["channels"]["dead_indices"],
                                b["classifier.1"]["channels"]["dead_indices"],
                                "the replicas say nothing apart")
            self.assertEqual(merged["prune"]["channels"], merged["total"]["dead"])
            self.assertIn("2 replicas", audit("--merge", *sources).stdout)
            self.assertEqual(audit("--merge", url, "--fail-on", "sparsity=0.1").returncode, 3)

    def test_the_same_inputs_are_no_more_witnesses(self):
        """Replicas may have seen the same: together they are sure of no more different inputs than one was."""
        saved = self.folder.path / "one.json"
        with support.Server() as server:
            saved.write_bytes(self.feed(server, support.Digits.get().images.rows(0, 200)))
        merged = audit_json(self, "--merge", saved, saved)
        self.assertEqual((merged["inputs"], merged["distinct_inputs"]), (400, 200))
        self.assertEqual({la["verdict"] for la in merged["layers"]}, {"unknown"})
        done = audit("--merge", saved, saved, "--fail-on", "dying")
        self.assertEqual(done.returncode, 1)
        self.assertIn("300 different inputs", done.stderr)

    def test_names_from_elsewhere_are_fit_for_a_terminal(self):
        saved = self.folder.path / "one.json"
        with support.Server() as server:
            reply = json.loads(self.feed(server, support.Digits.get().images.rows(0, 1)))
        reply["layers"][0]["name"] = "a\x1b[2Jb\n"
        reply["layers"][0]["path"] = "Conv\x1b[31m"
        saved.write_text(json.dumps(reply))
        done = audit("--merge", saved)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("a?[2Jb?", done.stdout)
        self.assertNotIn("\x1b", done.stdout)

    def test_what_cannot_be_merged(self):
        network = {"format": 1, "name": "digits", "input": {"name": "x", "shape": [4]},
                   "init": {"scheme": "kaiming_normal", "seed": 1},
                   "layers": [{"type": "linear", "out_features": 3}, {"type": "relu", "name": "r"}]}
        other = self.folder.model("digits", network)
        saved = self.folder.path / "saved.json"
        with support.Server() as server, support.Server(model=other) as small:
            url = f"http://127.0.0.1:{server.port}/v2/models/digits"
            with small.client() as client:
                saved.write_bytes(client.get("/v2/models/digits/activity?channels=1").body)
            bare = self.folder.path / "bare.json"
            with server.client() as client:
                bare.write_bytes(client.get("/v2/models/digits/activity").body)
            sound = json.loads(self.feed(server, support.Digits.get().images.rows(0, 1)))
            wrong = []
            for number, change in enumerate(({"fired": ["1"] * 16}, {"fired": [-1] * 16}, {"zeros": [0.5] * 16},
                                             {"zeros": [0] * 15}, {"values": None})):
                sound["layers"][0]["per_channel"].update(change)
                wrong.append(self.folder.path / f"wrong{number}.json")
                wrong[-1].write_text(json.dumps(sound))
                sound["layers"][0]["per_channel"].update(dict.fromkeys(change, [0] * 16))
            sound["layers"][0]["channels"]["total"] = 1 << 62
            many = self.folder.path / "many.json"
            many.write_text(json.dumps(sound))
            torn = self.folder.path / "torn.json"
            torn.write_bytes(bare.read_bytes()[:-20])
            cases = [((url, saved), "another network than the first"), ((bare,), "?channels=1"),
                     *(((path,), "features.2 lacks ") for path in wrong), ((many,), "features.2 lacks "),
                     ((torn,), "torn.json"), ((url + "x",), "answers 404"),
                     ((f"http://127.0.0.1:{server.port}",), "/v2/models/NAME"),
                     ((f"http://127.0.0.1:{support.free_port()}/v2/models/digits",),
                      "cannot be asked"),
                     ((self.folder.path / "none.json",), "none.json")]
            for sources, text in cases:
                done = audit("--merge", *sources)
                self.assertEqual(done.returncode, 1, f"{sources}: {done.stderr}")
                self.assertIn(text, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertEqual(audit("--merge").returncode, 2)


if __name__ == "__main__":
    unittest.main()
