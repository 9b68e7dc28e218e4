"""Models that are not one FP32 batch: several inputs or none, integers, booleans, scalars, open sizes."""

import json
import struct
import unittest

import onnx_writer as o
import support
import tensors

BIG = 2**60 + 1  # no double holds it

# every kind of input, straight through
KINDS = o.model(o.graph(
    [o.node("Identity", ["a"], ["out/a"]), o.node("Identity", ["b"], ["b2"]),
     o.node("Relu", ["s"], ["s2"])],
    [], [o.value("a", ["rows", 2], o.INT64), o.value("b", [3], o.BOOL), o.value("s", [])],
    [o.value("out/a", ["rows", 2], o.INT64), o.value("b2", [3], o.BOOL), o.value("s2", [])]))

# nothing goes in
NONE = o.model(o.graph([], [o.tensor("y", [2], [7, BIG], o.INT64)], [], [o.value("y", [2], o.INT64)]))

# any height and width; all weights 1
SIZES = o.model(o.graph(
    [o.node("Conv", ["x", "w"], ["c"]), o.node("Relu", ["c"], ["y"])],
    [o.tensor("w", [1, 1, 2, 2], 1.0)], [o.value("x", ["n", 1, "h", "w"])],
    [o.value("y", ["n", 1, "h2", "w2"])]))

# the output's shape is an input
SHAPED = o.model(o.graph([o.node("Reshape", ["x", "shape"], ["y"])], [],
                         [o.value("x", [6]), o.value("shape", [2], o.INT64)],
                         [o.value("y", [None, None])]))

# an output has no rows
ROWLESS = o.model(o.graph([o.node("Relu", ["x"], ["y"])], [o.tensor("w", [3], 1.0)], [o.value("x", ["n", 2])],
                          [o.value("y", ["n", 2]), o.value("w", [3])]))


def request(**inputs):
    return json.dumps({"inputs": [
        {"name": name, "datatype": datatype, "shape": shape, "data": data}
        for name, (datatype, shape, data) in inputs.items()]})


def outputs(reply):
    return {out["name"]: (out["datatype"], out["shape"], out["data"]) for out in reply["outputs"]}


class Files(unittest.TestCase):
    """`rectifier infer`"""

    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def write(self, name, data):
        path = self.folder.path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def infer(self, *args):
        done = support.run("infer", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return outputs(json.loads(done.stdout)) if done.stdout else None

    def test_no_inputs(self):
        model = self.write("none.onnx", NONE)
        self.assertEqual(self.infer(model), {"y": ("INT64", [2], [7, BIG])})
        self.assertEqual(self.infer(model, self.write("r.json", "{}")),
                         {"y": ("INT64", [2], [7, BIG])})

    def test_kinds(self):
        model = self.write("kinds.onnx", KINDS)
        a = self.write("a.npy", tensors.npy_bytes(tensors.Tensor((2, 2), [1, -2, BIG, 4], "q")))
        b = self.write("b.npy", tensors.npy_header("|b1", (3,)) + b"\1\0\1")
        s = self.write("s.json", "[-2.5]")
        want = {"out/a": ("INT64", [2, 2], [1, -2, BIG, 4]), "b2": ("BOOL", [3], [True, False, True]),
                "s2": ("FP32", [], [0.0])}
        self.assertEqual(self.infer(model, f"a={a}", f"b={b}", f"s={s}"), want)
        r = self.write("r.json", request(s=("INT8", [], [3]), a=("INT32", [1, 2], [5, 6]),
                                         b=("BOOL", [3], [False, False, True])))
        self.assertEqual(self.infer(model, r), {
            "out/a": ("INT64", [1, 2], [5, 6]), "b2": ("BOOL", [3], [False, False, True]),
            "s2": ("FP32", [], [3.0])})
        out = self.folder.path / "out"
        self.assertIsNone(self.infer(model, f"a={a}", f"b={b}", f"s={s}", "-o", out))
        self.assertEqual(sorted(p.name for p in out.iterdir()), ["b2.npy", "out_a.npy", "s2.npy"])
        self.assertEqual(tensors.npy_read(out / "out_a.npy").values.tolist(), [1, -2, BIG, 4])
        self.assertEqual(tensors.npy_read(out / "s2.npy").shape, ())
        self.assertEqual((out / "b2.npy").read_bytes()[-3:], b"\1\0\1")
        self.assertIn(b"'|b1'", (out / "b2.npy").read_bytes())

    def test_names_with_equals_signs(self):
        model = self.write("sub.onnx", o.model(o.graph(
            [o.node("Sub", ["a=b", "a"], ["y"])], [], [o.value("a", [1]), o.value("a=b", [1])],
            [o.value("y", [1])])))
        self.assertEqual(self.infer(model, f"a={self.write('a.json', '[1]')}",
                                    f"a=b={self.write('b.json', '[5]')}"), {"y": ("FP32", [1], [4.0])})

    def test_kept_layer(self):
        model = self.write("layers.onnx", o.model(o.graph(
            [o.node("Neg", ["x"], ["a"], "/neg"), o.node("Relu", ["a"], ["b"], "/act"),
             o.node("Neg", ["b"], ["y"], "b")], [], [o.value("x", [1])], [o.value("y", [1])])))
        x = self.write("x.json", "[-2]")
        for names, kept in ((["/act"], ["b"]), (["b"], ["b"]), (["/neg", "b"], ["a", "b"])):
            got = self.infer(model, x, *[word for name in names for word in ("--keep", name)])
            self.assertEqual(got, {name: ("FP32", [1], [-2.0 if name == "y" else 2.0])
                                   for name in ["y", *kept]})

    def test_names_that_are_one_file(self):
        model = self.write("twins.onnx", o.model(o.graph(
            [o.node("Relu", ["x"], ["a/b"]), o.node("Neg", ["x"], ["a_b"])], [], [o.value("x", [1])],
            [o.value("a/b", [1]), o.value("a_b", [1])])))
        done = support.run("infer", model, self.write("x.json", "[1]"), "-o", self.folder.path / "out")
        self.assertEqual(done.returncode, 1)
        self.assertIn("'a/b' and 'a_b' would both be a_b.npy", done.stderr)
        self.assertFalse((self.folder.path / "out").exists())

    def test_integers_where_none_are_taken(self):
        model = self.write("relu.onnx", o.model(o.graph(
            [o.node("Relu", ["x"], ["y"], "first")], [], [o.value("x", [1], o.INT64)],
            [o.value("y", [1], o.INT64)])))
        done = support.run("inspect", model)
        self.assertEqual(done.returncode, 1)
        self.assertIn("node first (Relu): input 0 is INT64", done.stderr)

    def test_what_is_missing(self):
        model = self.write("kinds.onnx", KINDS)
        s = self.write("s.json", "[1]")
        npy = self.write("a.npy", tensors.npy_bytes(tensors.Tensor((1, 2), [1, 2], "q")))
        for args, words in (((f"s={s}",), "add a=FILE"), ((npy,), "3 inputs"), ((), "add a=FILE"),
                            ((f"s={s}", f"s={s}"), "input 's' was given before"),
                            ((f"s={npy}",), "input 's' takes [] or [1]"),
                            ((f"b={npy}",), "input 'b' takes [3]"),
                            ((self.write("e.json", ""),), "e.json: content: empty, expected JSON"),
                            ((self.write("n.json", "7"),), "n.json: content: is a number")):
            with self.subTest(words):
                done = support.run("infer", model, *args)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn(words, done.stderr)

    def test_inspect_fixed_batch(self):
        model = self.write("relu.onnx", o.model(o.graph(
            [o.node("Relu", ["x"], ["y"])], [], [o.value("x", [2, 3])], [o.value("y", [2, 3])])))
        for batch, code in ((1, 0), (2, 0), (8, 1)):
            done = support.run("inspect", model, "--batch", batch)
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn("--batch 8: the batch of input 'x' is fixed: [2,3]", done.stderr)
        self.assertEqual(support.run("inspect", self.write("kinds.onnx", KINDS), "--batch", 8).returncode, 0)

    def test_inspect_open_sizes(self):
        model = self.write("sizes.onnx", SIZES)
        done = support.run("inspect", model, "--json", "--shape", "x=2,1,5,4")
        self.assertEqual(done.returncode, 0, done.stderr)
        facts = json.loads(done.stdout)
        self.assertEqual(facts["inputs"][0]["shape"], [2, 1, 5, 4])
        self.assertEqual(facts["macs"], 2 * 4 * 3 * 4)
        self.assertEqual(support.run("inspect", model).returncode, 0)
        done = support.run("inspect", self.write("shaped.onnx", SHAPED))
        self.assertEqual(done.returncode, 1)
        self.assertIn("elements of an input", done.stderr)


class Http(support.OnnxTest):
    MODELS = {"kinds": KINDS, "none": NONE, "sizes": SIZES, "shaped": SHAPED, "rowless": ROWLESS}

    def post(self, path, body, headers=None):
        with self.server.client() as client:
            return client.post(path, body, headers or {})

    def infer(self, model, body):
        reply = self.post(f"/v2/models/{model}/infer", body)
        self.assertEqual(reply.status, 200, reply)
        return outputs(reply.json())

    def metadata(self, model):
        with self.server.client() as client:
            facts = client.get(f"/v2/models/{model}").json()
        return [{io["name"]: (io["datatype"], io["shape"]) for io in facts[key]}
                for key in ("inputs", "outputs")]

    def test_metadata(self):
        self.assertEqual(self.metadata("kinds"), [
            {"a": ("INT64", [-1, 2]), "b": ("BOOL", [3]), "s": ("FP32", [])},
            {"out/a": ("INT64", [-1, 2]), "b2": ("BOOL", [3]), "s2": ("FP32", [])}])
        self.assertEqual(self.metadata("none"), [{}, {"y": ("INT64", [2])}])
        self.assertEqual(self.metadata("sizes"), [{"x": ("FP32", [-1, 1, -1, -1])},
                                                  {"y": ("FP32", [-1, 1, -1, -1])}])
        self.assertEqual(self.metadata("shaped")[1], {"y": ("FP32", [-1])})

    def test_kinds(self):
        body = request(a=("INT64", [1, 2], [BIG, -BIG]), b=("BOOL", [3], [True, True, False]),
                       s=("FP32", [], [1.5]))
        self.assertEqual(self.infer("kinds", body), {
            "out/a": ("INT64", [1, 2], [BIG, -BIG]), "b2": ("BOOL", [3], [True, True, False]),
            "s2": ("FP32", [], [1.5])})
        for accept in ("application/octet-stream", "application/x-npy"):
            self.assert_error(self.post("/infer/kinds", body, {"Accept": accept}), 400,
                              f'{accept} carries one output, and 3 are wanted: name one in "outputs"')
        body = json.dumps({**json.loads(body), "outputs": [{"name": "out/a"}]})
        reply = self.post("/infer/kinds", body, {"Accept": "application/octet-stream"})
        self.assertEqual((reply.header("X-Tensor-Shape"), reply.header("X-Tensor-Datatype")),
                         ("1,2", "INT64"))
        self.assertEqual(reply.body, BIG.to_bytes(8, "little") + (-BIG).to_bytes(8, "little", signed=True))

    def test_kinds_that_do_not_fit(self):
        good = {"a": ("INT64", [1, 2], [1, 2]), "b": ("BOOL", [3], [True] * 3), "s": ("FP32", [], [1])}
        for bad, words in (
                ({"a": ("FP32", [1, 2], [1, 2])},
                 "inference input 'a' data-type is 'FP32', but model 'kinds' expects 'INT64'"),
                ({"b": ("UINT8", [3], [1, 0, 1])}, "model 'kinds' expects 'BOOL'"),
                ({"a": ("INT64", [1, 2], [1, 2**63])}, "data[1] is 9223372036854775808"),
                ({"b": ("BOOL", [2], [True] * 2)}, "Expected [3], got [2]"),
                ({"s": ("FP32", [1], [1])}, "Expected [], got [1]")):
            with self.subTest(words):
                reply = self.post("/v2/models/kinds/infer", request(**{**good, **bad}))
                self.assert_error(reply, 400, words)

    def test_none(self):
        for body in ("{}", '{"inputs":[]}'):
            self.assertEqual(self.infer("none", body), {"y": ("INT64", [2], [7, BIG])})
        self.assert_error(self.post("/infer/none", ""), 400, "the body is empty")

    def test_sizes(self):
        for n, h, w in ((1, 2, 2), (2, 3, 5), (1, 9, 4)):
            x = tensors.Tensor((n, 1, h, w), [1.0] * (n * h * w))
            reply = self.post("/infer/sizes", tensors.npy_bytes(x), {"Accept": "application/x-npy"})
            self.assertEqual(reply.status, 200, reply)
            y = tensors.npy_parse(reply.body)
            self.assertEqual(y.shape, (n, 1, h - 1, w - 1))
            self.assertEqual(set(y.values), {4.0})
        reply = self.post("/infer/sizes", bytes(64), support.RAW)
        self.assert_error(reply, 400, "needs an input of fixed size", "[-1,1,-1,-1]")
        reply = self.post("/infer/sizes", tensors.npy_bytes(tensors.Tensor((1, 1, 1, 3), [1.0] * 3)))
        self.assert_error(reply, 400, "do not fit input [1,1,1,3]")

    def test_files_sent_amiss(self):
        npy = tensors.npy_bytes(tensors.Tensor((1, 1, 2, 2), [1.0] * 4))
        self.assert_error(self.post("/v2/models/sizes/infer", npy), 400, "send npy to /infer/sizes")
        form = b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + npy + b"\r\n--x--\r\n"
        for path in ("/infer/sizes", "/v2/models/sizes/infer"):
            self.assert_error(self.post(path, form, {"Content-Type": "multipart/form-data; boundary=x"}),
                              400, "--data-binary @FILE")
        web_form = {"Content-Type": "application/x-www-form-urlencoded"}
        for stripped in (b"\n", b"\n\0"):  # by curl -d of today and of before
            body = npy.translate(None, stripped)
            self.assert_error(self.post("/infer/sizes", body, web_form), 400, "--data-binary, not -d")
        self.assertEqual(self.post("/infer/sizes", npy, web_form).status, 200)

    def test_rowless(self):
        """Instances are answered by rows: the request's fault, not the server's."""
        self.assert_error(self.post("/infer/rowless", '{"instances":[[1,2]]}'), 400,
                          "output 'w' has no row for each instance")

    def test_shaped(self):
        for shape in ([2, 3], [6, 1], [-1, 2]):
            body = request(x=("FP32", [6], [1, 2, 3, 4, 5, 6]), shape=("INT64", [2], shape))
            want = [6 // shape[1] if d < 0 else d for d in shape]
            self.assertEqual(self.infer("shaped", body),
                             {"y": ("FP32", want, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])})
        reply = self.post("/v2/models/shaped/infer",
                          request(x=("FP32", [6], [0] * 6), shape=("INT64", [2], [4, 2])))
        self.assert_error(reply, 400, "[4,2]")


class Denormals(support.OnnxTest):
    """They are zero while computing, in whichever thread that is; NaN and infinity go through."""

    MODELS = {"times": o.model(o.graph([o.node("MatMul", ["x", "w"], ["y"])], [o.tensor("w", [1, 1], [1e30])],
                                       [o.value("x", ["n", 1])], [o.value("y", ["n", 1])]))}

    def test_values(self):
        def ask(i):
            values = (1e-40, -1e-40, 2.0 ** -126, float("nan"), float("inf"))
            with self.server.client() as client:
                for _ in range(20):
                    reply = client.post("/infer", struct.pack("<5f", *values), support.RAW)
                    self.assertEqual(reply.status, 200, reply)
                    got = struct.unpack("<5f", reply.body)
                    self.assertEqual(got[:2], (0, 0))
                    self.assertAlmostEqual(got[2], 2.0 ** -126 * 1e30, delta=1e-14)
                    self.assertNotEqual(got[3], got[3])
                    self.assertEqual(got[4], float("inf"))

        support.in_threads(8, ask)


if __name__ == "__main__":
    unittest.main()
