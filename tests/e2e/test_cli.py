"""The command line: help, usage errors, settings, init, inspect, infer, health."""

import json
import re
import unittest

import support
import tensors

COMMANDS = ("serve", "inspect", "infer", "init", "health", "bench", "audit")
INIT = {"format": 1, "name": "fresh", "input": {"name": "x", "shape": [3, 8, 8]},
        "layers": [{"type": "conv2d", "name": "a", "out_channels": 4, "kernel_size": 3},
                   {"type": "relu"}, {"type": "flatten"},
                   {"type": "linear", "name": "b", "out_features": 5}],
        "output": {"name": "y"},
        "init": {"scheme": "kaiming_normal", "nonlinearity": "relu", "bias": 0.01, "seed": 1}}


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def ok(self, *args, **options):
        done = support.run(*args, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def usage_error(self, *args, env=None):
        """Exit code 2, nothing on stdout; the message."""
        done = support.run(*args, env=env)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertTrue(done.stderr.strip())
        return done.stderr

    def test_version(self):
        self.assertRegex(self.ok("--version"), r"^rectifier \d+\.\d+\.\d+\S*\n")

    def test_help(self):
        text = self.ok("--help")
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^\s+(rectifier )?{command}\b")
        for command in COMMANDS:
            with self.subTest(command):
                text = self.ok(command, "--help")
                self.assertIn(f"Usage: rectifier {command}", text)
                self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_help_names_twin_and_default(self):
        text = self.ok("serve", "--help")
        options = re.findall(r"^  --([a-z-]+)((?: .*)?)\n((?:      .*\n)+)", text, re.M)
        self.assertGreater(len(options), 15)
        for name, _, body in options:
            if name in ("help", "print-config"):
                continue
            words = " ".join(body.split())
            with self.subTest(name):
                self.assertIn("RECTIFIER_" + name.upper().replace("-", "_"), words)
        self.assertIn("8080", text)
        self.assertIn("127.0.0.1", text)
        self.assertIn("listen here", text)
        text = self.ok("health", "--help")
        self.assertIn("8080", text)
        self.assertNotIn("listen", text)

    def test_unknown_words(self):
        self.assertIn("--max-body", self.usage_error("serve", "--max-boddy", "1MiB"))
        self.assertIn("--port", self.usage_error("serve", "--prot", "80"))
        self.assertIn("serve", self.usage_error("serv"))
        self.assertIn("inspect", self.usage_error("inspekt", "x"))
        self.assertNotIn("did you mean", self.usage_error("serve", "--zzzzzzzzzzzz"))
        self.usage_error("serve", "-z")
        self.usage_error()

    def test_wrong_values(self):
        for args, words in (
                (("--port", "x"), ("--port", "'x'")), (("--port", "65536"), ("65535",)),
                (("--port", "-1"), ("--port",)), (("--port",), ("--port", "value")),
                (("--max-body", "1MB2"), ("--max-body",)), (("--max-body", "-5"), ("--max-body",)),
                (("--max-body", "99999999999999999999"), ("--max-body",)),
                (("--request-timeout", "30"), ("--request-timeout", "30")),
                (("--request-timeout", "5parsecs"), ("5parsecs",)),
                (("--activity", "everything"), ("off|layer|channel",)),
                (("--isa", "sse9"), ("avx2",)), (("--queue-size", "0"), ("--queue-size",)),
                (("--log-format", "xml"), ("json",))):
            with self.subTest(args):
                text = self.usage_error("serve", *args)
                for word in words:
                    self.assertIn(word, text)
        text = self.usage_error("serve", env={"RECTIFIER_PORT": "eighty"})
        self.assertIn("RECTIFIER_PORT", text)

    def config(self, *args, env=None):
        lines = self.ok("serve", *args, "--print-config", env=env).splitlines()
        settings = {}
        for line in lines:
            m = re.match(r"^(\S+)\s+(.*?)\s+# (.*)$", line)
            self.assertTrue(m, line)
            settings[m[1]] = (m[2], m[3])
        return settings

    def test_precedence(self):
        """Flag over environment over default, and --print-config says which."""
        self.assertEqual(self.config()["queue-size"], ("256", "default"))
        env = {"RECTIFIER_QUEUE_SIZE": "7", "RECTIFIER_MAX_BODY": "2MiB"}
        self.assertEqual(self.config(env=env)["queue-size"], ("7", "environment"))
        self.assertEqual(self.config(env=env)["max-body"], ("2MiB", "environment"))
        settings = self.config("--queue-size=9", env=env)
        self.assertEqual(settings["queue-size"], ("9", "command line"))
        self.assertEqual(settings["host"], ("127.0.0.1", "default"))
        self.assertEqual(self.config("--request-timeout", "90s")["request-timeout"][0], "90s")

    def test_environment_is_used(self):
        with support.Server(env={"RECTIFIER_MAX_BODY": "100"}) as server, server.client() as client:
            self.assertEqual(client.post("/infer", b" " * 101).status, 413)

    def test_init_is_reproducible(self):
        network = self.folder.path / "net.json"
        network.write_text(json.dumps(INIT))
        files = {}
        for name, seed, isa in (("a", 1, "auto"), ("b", 1, "base"), ("c", 2, "auto")):
            path = self.folder.path / f"{name}.safetensors"
            self.ok("init", network, path, "--seed", seed, env={"RECTIFIER_ISA": isa})
            files[name] = path.read_bytes()
        self.assertEqual(files["a"], files["b"])
        self.assertNotEqual(files["a"], files["c"])
        weights = tensors.safetensors_read(self.folder.path / "a.safetensors")
        self.assertEqual({k: t.shape for k, t in weights.items()},
                         {"a.weight": (4, 3, 3, 3), "a.bias": (4,), "b.weight": (5, 144),
                          "b.bias": (5,)})
        self.assertTrue(all(abs(v - 0.01) < 1e-8 for v in weights["a.bias"].values))
        values = weights["b.weight"].values
        variance = sum(v * v for v in values) / len(values)
        self.assertAlmostEqual(variance, 2 / 144, delta=0.25 * 2 / 144)  # He; 720 samples

    def test_init_serves(self):
        network = self.folder.path / "net.json"
        network.write_text(json.dumps(INIT))
        self.ok("init", network, self.folder.path / "w.safetensors", "--seed", 3)
        text = {k: v for k, v in INIT.items() if k != "init"}
        model = self.folder.model("m", text, (self.folder.path / "w.safetensors").read_bytes())
        data = tensors.Tensor((2, 3, 8, 8), [i % 7 for i in range(384)])
        out, _ = support.infer_offline(self, self.folder, model, data)
        self.assertEqual(out["y"].shape, (2, 5))

    def test_init_errors(self):
        done = support.run("init", self.folder.path / "none.json", self.folder.path / "o.safetensors")
        self.assertEqual(done.returncode, 1)
        self.assertIn("none.json", done.stderr)
        network = self.folder.path / "net.json"
        network.write_text(json.dumps(INIT))
        done = support.run("init", network, self.folder.path / "no" / "o.safetensors")
        self.assertEqual(done.returncode, 1)
        self.assertIn("o.safetensors", done.stderr)

    def test_infer(self):
        digits = support.Digits.get()
        npy = self.folder.path / "x.npy"
        tensors.npy_write(npy, digits.images.rows(0, 3))
        for name in (str(npy), f"image={npy}"):
            outputs = json.loads(self.ok("infer", support.DIGITS, name))["outputs"]
            self.assertIsNone(digits.wrong(0, outputs[0]["data"]))
        text = self.folder.path / "x.json"
        text.write_text(json.dumps(digits.images.rows(0, 3).nested()))
        outputs = json.loads(self.ok("infer", support.DIGITS, text))["outputs"]
        self.assertIsNone(digits.wrong(0, outputs[0]["data"]))
        text.write_text(json.dumps(digits.oip(0, 3)))
        outputs = json.loads(self.ok("infer", support.DIGITS, text))["outputs"]
        self.assertIsNone(digits.wrong(0, outputs[0]["data"]))

    def test_infer_makes_the_folder(self):
        digits = support.Digits.get()
        npy, out = self.folder.path / "x.npy", self.folder.path / "a" / "b" / "out"
        tensors.npy_write(npy, digits.images.rows(0, 2))
        for _ in range(2):  # made, then there
            self.ok("infer", support.DIGITS, npy, "-o", out, "--keep", "features.2")
            self.assertEqual(sorted(p.name for p in out.iterdir()),
                             ["features.2.npy", "probabilities.npy"])
        self.assertEqual(tensors.npy_read(out / "features.2.npy").shape, (2, 16, 8, 8))

    def test_infer_errors(self):
        npy = self.folder.path / "x.npy"
        tensors.npy_write(npy, tensors.Tensor((1, 1, 8, 7), [0] * 56))
        good = self.folder.path / "good.npy"
        tensors.npy_write(good, tensors.Tensor((1, 1, 8, 8), [0] * 64))
        for args, code, words in (
                ((support.DIGITS, npy), 1, ("image", "[1,1,8,7]")),
                ((support.DIGITS, "none.npy"), 1, ("none.npy",)),
                ((support.DIGITS, f"other={npy}"), 1, ("no input is called 'other'; inputs: 'image'",)),
                ((support.DIGITS, npy, "-o", npy.parent / "out"), 1, ("[1,1,8,7]",)),
                ((support.DIGITS,), 1, ("image=FILE",)), ((), 2, ()),
                ((support.DIGITS, good, good), 1, ("image", "before")),
                ((support.DIGITS, good, "-o", good), 1, ("good.npy", "folder")),
                ((support.DIGITS, good, "-o", good / "out"), 1, ("good.npy", "folder")),
                ((support.DIGITS, npy, "--keep", "nothing"), 1, ("nothing",))):
            with self.subTest(args[1:]):
                done = support.run("infer", *args)
                self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
                for word in words:
                    self.assertIn(word, done.stderr)
        self.assertFalse((npy.parent / "out").exists())

    def test_health(self):
        port = support.free_port()
        self.assertEqual(support.run("health", env={"RECTIFIER_PORT": str(port)}).returncode, 1)
        with support.Server() as server:
            url = f"http://127.0.0.1:{server.port}"
            self.ok("health", url)
            self.ok("health", env={"RECTIFIER_PORT": str(server.port)})
            self.ok("health", "--port", server.port)
            # an image sets 0.0.0.0, which is no address to connect to everywhere
            self.ok("health", env={"RECTIFIER_PORT": str(server.port), "RECTIFIER_HOST": "0.0.0.0"})
        self.assertEqual(support.run("health", url).returncode, 1)
        self.assertNotEqual(support.run("health", "ftp://nowhere").returncode, 0)

    def test_bench(self):
        text = self.ok("bench", "digits", "--batch", "1,3", "--seconds", 1, "--activity", "off,layer,channel,unit", "--json")
        rows = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([(r["batch"], r["activity"]) for r in rows],
                         [(batch, level) for batch in (1, 3) for level in ("off", "layer", "channel", "unit")])
        for row in rows:
            with self.subTest(row):
                self.assertEqual((row["model"], row["threads"]), ("digits", 1))
                self.assertGreaterEqual(row["runs"], 5)
                self.assertTrue(0 < row["p10_ms"] <= row["median_ms"] <= row["p90_ms"])
                self.assertGreater(row["gflops"], 0)
        self.assertEqual(rows[0]["overhead_pct"], 0)

    def test_bench_layers(self):
        text = self.ok("bench", "digits", "--seconds", 1, "--layers", "--threads", 2)
        for word in ("features.2", "classifier.3", "softmax", "peak of one core"):
            self.assertIn(word, text)
        row = json.loads(self.ok("bench", "digits", "--seconds", 1, "--layers", "--json", "--batch", 3))
        layer = {layer["name"]: layer for layer in row["layers"]}["features.2"]
        self.assertEqual(layer["shape"], [3, 16, 8, 8])
        self.assertTrue(0 < layer["median_ms"] < row["median_ms"])
        self.assertTrue(layer["algorithm"])
        self.assertGreater(layer["gflops"], 0)
        self.assertGreater(layer["bytes"], 4 * 3 * 16 * 8 * 8)
        self.assertGreater(row["peak_gflops"], 0)

    def test_bench_usage(self):
        for args, word in ((["--batch", "0"], "--batch"), (["--threads", "1,x"], "--threads"),
                           (["--activity", "units,off"], "--activity"), (["--seconds", "0"], "seconds")):
            with self.subTest(args):
                self.assertIn(word, self.usage_error("bench", "digits", *args))
        self.assertIn("one MODEL", self.usage_error("bench"))

    def test_port_in_use(self):
        with support.Server() as server:
            done = support.run("serve", "--port", server.port)
            self.assertEqual(done.returncode, 1)
            self.assertIn(str(server.port), done.stderr)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_works_from_anywhere(self):
        """The bundled network is in the binary."""
        with support.Server() as server:
            support.assert_serves(self, server)
        text = support.run("serve", "--print-config", cwd="/")
        self.assertEqual(text.returncode, 0)


if __name__ == "__main__":
    unittest.main()
