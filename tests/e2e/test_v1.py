"""The first protocol, as TensorFlow Serving and KServe have it."""

import json
import unittest

import onnx_writer as o
import support

# y = a + b, by rows; z = a
SUM = o.model(o.graph([o.node("Add", ["a", "b"], ["y"]), o.node("Identity", ["a"], ["z"])], [],
                      [o.value("a", ["n", 2]), o.value("b", ["n", 2])],
                      [o.value("y", ["n", 2]), o.value("z", ["n", 2])]))


class V1(support.ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = support.Folder()
        cls.addClassCleanup(cls.folder.__exit__)
        (cls.folder.path / "sum.onnx").write_bytes(SUM)
        cls.ARGS = [support.DIGITS, cls.folder.path / "sum.onnx"]
        super().setUpClass()

    def ask(self, method, path, body=None):
        with self.server.client() as client:
            return client.ask(method, path, body)

    def test_predict(self):
        digits = support.Digits.get()
        images = digits.images.rows(2, 5)
        for path in ("digits", "digits/versions/1"):
            for body in ({"instances": images.nested()},
                         {"signature_name": "serving_default", "instances": images.nested()},
                         {"instances": [{"image": image} for image in images.nested()]}):
                reply = self.ask("POST", f"/v1/models/{path}:predict", body)
                self.assertEqual(reply.status, 200, reply)
                self.assertEqual(reply.header("Content-Type"), "application/json")
                predictions = reply.json()["predictions"]
                self.assertEqual(len(predictions), 3)
                self.assertIsNone(digits.wrong(2, sum(predictions, [])))

    def test_named_inputs(self):
        reply = self.ask("POST", "/v1/models/sum:predict", {"instances": [
            {"a": [1, 2], "b": [10, 20]}, {"b": [30, 40], "a": [3, 4]}]})
        self.assertEqual(reply.json(), {"predictions": [
            {"y": [11.0, 22.0], "z": [1.0, 2.0]}, {"y": [33.0, 44.0], "z": [3.0, 4.0]}]})

    def test_models(self):
        self.assertEqual(self.ask("GET", "/v1/models").json(), {"models": ["digits", "sum"]})
        for path in ("digits", "digits/versions/1"):
            self.assertEqual(self.ask("GET", f"/v1/models/{path}").json(), {
                "name": "digits", "ready": True, "model_version_status": [
                    {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]})

    def test_metadata(self):
        got = self.ask("GET", "/v1/models/digits/metadata").json()
        self.assertEqual(got["model_spec"], {"name": "digits", "signature_name": "", "version": "1"})
        signature = got["metadata"]["signature_def"]["signature_def"]["serving_default"]
        for key, name, size in (("inputs", "image", ["-1", "1", "8", "8"]), ("outputs", "probabilities", ["-1", "10"])):
            self.assertEqual(signature[key], {name: {
                "dtype": "DT_FLOAT", "name": name, "tensor_shape": {
                    "unknown_rank": False, "dim": [{"size": n, "name": ""} for n in size]}}})

    def test_head(self):
        for path in ("/v1/models", "/v1/models/digits", "/v1/models/digits/metadata"):
            with self.server.wire() as w:
                w.send(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                self.assertEqual(w.final(head=True).status, 200)

    def test_refused(self):
        predict = "/v1/models/digits:predict"
        for method, path, body, status, *fragments in (
                ("GET", predict, None, 405, "POST"),
                ("POST", "/v1/models/digits", b"{}", 405, "GET, HEAD"),
                ("POST", "/v1/models/digits:classify", b"{}", 405),
                ("POST", "/v1/models/nothing:predict", b"{}", 404, "unknown model: 'nothing'"),
                ("POST", "/v1/models/digits/versions/2:predict", b"{}", 404, "version 2 is not found"),
                ("POST", "/v1/models/digits/versions/x:predict", b"{}", 404, "no such path"),
                ("GET", "/v1/models/nothing/metadata", None, 404),
                ("POST", predict, b"", 400, "empty"),
                ("POST", predict, b"{}", 400, 'expected "instances"'),
                ("POST", predict, json.dumps({"inputs": []}).encode(), 400, 'expected "instances"'),
                ("POST", predict, b"[[1]]", 400, 'an object with "instances"'),
                ("POST", predict, json.dumps({"instances": [{"image": [1]}]}).encode(), 400, "instances of shape [1]"),
                ("POST", predict, b"\x93NUMPY", 400, "/infer/digits")):
            with self.subTest(f"{method} {path} {body}"):
                self.assert_error(self.ask(method, path, body), status, *fragments)


if __name__ == "__main__":
    unittest.main()
