"""The Open Inference Protocol as its clients speak it, byte by byte."""

import json
import struct
import unittest

import onnx_writer as o
import support
import wire

# y = x of any number of rows; z is x, too, and comes second
COPY = o.model(o.graph([o.node("Identity", ["x"], ["y"]), o.node("Identity", ["x"], ["z"])], [],
                       [o.value("x", ["n", 3])], [o.value("y", ["n", 3]), o.value("z", ["n", 3])]))
# one input of each kind, straight through
KINDS = o.model(o.graph(
    [o.node("Identity", ["a"], ["a2"]), o.node("Identity", ["b"], ["b2"])], [],
    [o.value("a", [2], o.INT64), o.value("b", [3], o.BOOL)],
    [o.value("a2", [2], o.INT64), o.value("b2", [3], o.BOOL)]))

LENGTH = "inference-header-content-length"


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


class ClientTest(support.OnnxTest):
    """Requests over sockets with the headers that the clients send, and none besides."""

    MORE, MODELS = (support.DIGITS,), {"copy": COPY, "kinds": KINDS}

    def ask(self, method, path, body=None, headers=()):
        """Lower-case header names and no Content-Type, as tritonclient's."""
        fields = [("user-agent", "python/gevent-http-client-2.0.8"), *headers]
        if body is not None:
            fields.append(("content-length", str(len(body))))
        with self.server.wire() as w:
            w.send(wire.head(method, path, fields) + (body or b""))
            return w.final()

    def infer(self, request, tail=b"", model="copy", headers=(), split=True):
        """A request with `tail` behind its JSON; the reply's JSON and the bytes behind that."""
        text = json.dumps(request, separators=(",", ":")).encode()
        fields = [(LENGTH, str(len(text)))] if split else []
        reply = self.ask("POST", f"/v2/models/{model}/infer", text + tail, [*fields, *headers])
        self.assertEqual(reply.status, 200, reply)
        return self.parts(reply)

    def parts(self, reply):
        """A client reads the JSON, then as many bytes for each output as it names."""
        length = reply.header(LENGTH)
        kind = "application/json" if length is None else "application/octet-stream"
        self.assertEqual(reply.header("Content-Type"), kind)
        n = len(reply.body) if length is None else int(length)
        answer, tail = json.loads(reply.body[:n]), reply.body[n:]
        blocks = {}
        for output in answer["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size")
            if size is not None:
                self.assertNotIn("data", output)
                blocks[output["name"]], tail = tail[:size], tail[size:]
        self.assertEqual(tail, b"")
        return answer, blocks


def binary_input(*values, rows=1):
    return {"name": "x", "shape": [rows, 3], "datatype": "FP32",
            "parameters": {"binary_data_size": 4 * len(values)}}


class Triton(ClientTest):
    """tritonclient.http"""

    def test_default_request(self):
        """Inputs and outputs in binary, no list of outputs."""
        answer, blocks = self.infer({"inputs": [binary_input(1.5, -2, 0.25)],
                                     "parameters": {"binary_data_output": True}}, floats(1.5, -2, 0.25))
        self.assertEqual(answer, {"model_name": "copy", "model_version": "1", "outputs": [
            {"name": name, "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}}
            for name in "yz"]})
        self.assertEqual(blocks, {"y": floats(1.5, -2, 0.25), "z": floats(1.5, -2, 0.25)})

    def test_requested_outputs(self):
        outputs = [{"name": "z", "parameters": {"binary_data": False}},
                   {"name": "y", "parameters": {"binary_data": True}}]
        answer, blocks = self.infer({"inputs": [binary_input(1, 2, 3)], "outputs": outputs}, floats(1, 2, 3))
        self.assertEqual([out["name"] for out in answer["outputs"]], ["z", "y"])
        self.assertEqual(answer["outputs"][0]["data"], [1.0, 2.0, 3.0])
        self.assertEqual(blocks, {"y": floats(1, 2, 3)})

    def test_json_alone(self):
        """The Python client sends no header then, the C++ one always does."""
        request = {"id": "", "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}],
                   "outputs": [{"name": "y", "parameters": {"binary_data": False}}]}
        for headers, split in (((), False), ((("Expect", ""),), True)):
            answer, blocks = self.infer(request, headers=headers, split=split)
            self.assertEqual(answer["id"], "")
            self.assertEqual(answer["outputs"], [
                {"name": "y", "datatype": "FP32", "shape": [1, 3], "data": [1.0, 2.0, 3.0]}])
            self.assertEqual(blocks, {})

    def test_version_and_query(self):
        text = json.dumps({"inputs": [binary_input(1, 2, 3)]}).encode()
        for path in ("/v2/models/copy/versions/1/infer", "/v2/models/copy/infer?test_1=1&test_2=2"):
            reply = self.ask("POST", path, text + floats(1, 2, 3), [(LENGTH, str(len(text)))])
            self.assertEqual(self.parts(reply)[0]["outputs"][1]["data"], [1.0, 2.0, 3.0])

    def test_every_alignment(self):
        for blank in range(9):
            request = {"id": "i" * blank, "inputs": [binary_input(1, 2, 3)]}
            answer, _ = self.infer(request, floats(1, 2, 3))
            self.assertEqual(answer["outputs"][0]["data"], [1.0, 2.0, 3.0])

    def test_mixed_kinds(self):
        """JSON and bytes side by side; a BOOL is a byte."""
        answer, blocks = self.infer(
            {"inputs": [{"name": "a", "shape": [2], "datatype": "INT8", "data": [1, 2]},
                        {"name": "b", "shape": [3], "datatype": "BOOL", "parameters": {"binary_data_size": 3}}],
             "outputs": [{"name": "a2"}, {"name": "b2", "parameters": {"binary_data": True}}]},
            b"\1\0\1", model="kinds")
        self.assertEqual(answer["outputs"][0]["data"], [1, 2])
        self.assertEqual(blocks, {"b2": b"\1\0\1"})

    def test_empty_batch(self):
        """Nothing follows the JSON, so the reply is JSON alone."""
        request = {"inputs": [binary_input(rows=0)], "parameters": {"binary_data_output": True}}
        answer, blocks = self.infer(request)
        self.assertEqual(answer["outputs"][0], {"name": "y", "datatype": "FP32", "shape": [0, 3],
                                                "parameters": {"binary_data_size": 0}})
        self.assertEqual(blocks, {"y": b"", "z": b""})

    def test_raw_request(self):
        reply = self.ask("POST", "/v2/models/copy/infer", floats(1, 2, 3, 4, 5, 6), [(LENGTH, "0")])
        answer, blocks = self.parts(reply)
        self.assertEqual(answer["outputs"][0]["shape"], [2, 3])
        self.assertEqual(blocks, dict.fromkeys("yz", floats(1, 2, 3, 4, 5, 6)))

    def test_non_finite(self):
        """The client sends and reads Python's tokens."""
        nan, inf = float("nan"), float("inf")
        request = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [nan, inf, -inf]}]}
        self.assertIn("NaN,Infinity", json.dumps(request, separators=(",", ":")))
        answer, _ = self.infer(request, split=False)
        data = answer["outputs"][0]["data"]
        self.assertNotEqual(data[0], data[0])
        self.assertEqual(data[1:], [inf, -inf])

    def test_classification(self):
        """Five classes a row, as tritonclient asks: in binary."""
        digits = support.Digits.get()
        images = digits.images.rows(0, 2)
        text = {"inputs": [{"name": "image", "shape": [2, 1, 8, 8], "datatype": "FP32",
                            "parameters": {"binary_data_size": 512}}],
                "outputs": [{"name": "probabilities",
                             "parameters": {"classification": 5, "binary_data": True}}]}
        answer, blocks = self.infer(text, images.tobytes(), model="digits")
        self.assertEqual(answer["outputs"][0]["datatype"], "BYTES")
        self.assertEqual(answer["outputs"][0]["shape"], [2, 5])
        rest, strings = blocks["probabilities"], []
        while rest:
            n = int.from_bytes(rest[:4], "little")
            strings.append(rest[4:4 + n].decode())
            rest = rest[4 + n:]
        for row in range(2):
            want = digits.outputs.row(row)
            for place, text in enumerate(strings[5 * row:5 * row + 5]):
                value, index, label = text.split(":")
                self.assertEqual(index, label)
                self.assertAlmostEqual(float(value), want[int(index)], delta=2e-6)
                self.assertAlmostEqual(float(value), sorted(want, reverse=True)[place], delta=2e-6)

    def test_timeout(self):
        """Decoding alone takes more than a microsecond; an hour is not reached."""
        for timeout, status in ((1, 504), (0, 200), (3600000000, 200), (2**64 - 1, 200)):
            text = json.dumps({"inputs": [binary_input(1, 2, 3)],
                               "parameters": {"timeout": timeout, "priority": 2}}).encode()
            reply = self.ask("POST", "/v2/models/copy/infer", text + floats(1, 2, 3), [(LENGTH, str(len(text)))])
            self.assertEqual(reply.status, status, reply)
            if status == 504:
                self.assert_error(reply, 504, "timeout")

    def test_parameters_of_others(self):
        """What other servers read from parameters, or keep for themselves, changes nothing here."""
        others = {"triton_enable_empty_final_response": True, "sequence_id": 7, "sequence_start": True, "max_batch": 0,
                  "headers": "x-request-id: forged", "model_name": "kinds", "version": "2", "content-length": 5}
        outputs_own = {"binary_data": True, "classification": 2}
        x = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}
        plain = self.infer({"inputs": [x]}, split=False)
        for request in ({"inputs": [x], "parameters": {**others, **outputs_own}},
                        {"inputs": [{**x, "parameters": {**others, **outputs_own}}]},
                        {"inputs": [x], "outputs": [{"name": name, "parameters": others} for name in "yz"]},
                        {"inputs": [x], **others, **outputs_own}):
            self.assertEqual(self.infer(request, split=False), plain)

    def test_health_and_metadata(self):
        self.assertEqual(self.ask("GET", "/v2/health/live").json(), {"live": True})
        self.assertEqual(self.ask("GET", "/v2/health/ready").json(), {"ready": True})
        for version in ("", "/versions/1"):
            path = f"/v2/models/copy{version}"
            self.assertEqual(self.ask("GET", f"{path}/ready").json(), {"name": "copy", "ready": True})
            self.assertEqual(self.ask("GET", path).json()["versions"], ["1"])
        self.assertEqual(self.ask("GET", "/v2").json()["extensions"],
                         ["binary_tensor_data", "classification", "model_configuration", "model_repository",
                          "statistics"])


class Described(ClientTest):
    """Statistics and configuration, as perf_analyzer reads them."""

    PARTS = ("compute_input", "compute_infer", "compute_output")

    def stats(self, model):
        reply = self.ask("GET", f"/v2/models/{model}/stats")
        self.assertEqual(reply.status, 200, reply)
        (stats,) = reply.json()["model_stats"]
        everything = self.ask("GET", "/v2/models/stats").json()["model_stats"]
        self.assertEqual([s for s in everything if s["name"] == model], [stats])
        return stats

    def test_statistics(self):
        before = self.stats("copy")
        for rows in (2, 5, 5, 0):
            self.infer({"inputs": [binary_input(*range(3 * rows), rows=rows)]}, floats(*range(3 * rows)))
        self.assertEqual(self.ask("POST", "/v2/models/copy/infer", b"{}").status, 400)
        self.server.check_conservation()
        after = self.stats("copy")
        self.assertEqual(after["inference_count"] - before["inference_count"], 12)
        self.assertEqual(after["execution_count"] - before["execution_count"], 4)
        self.assertGreater(after["last_inference"], 1.7e12)  # milliseconds
        gained = {key: {k: value[k] - before["inference_stats"][key][k] for k in ("count", "ns")}
                  for key, value in after["inference_stats"].items()}
        self.assertEqual({key: value["count"] for key, value in gained.items()}, {
            "success": 4, "fail": 1, "queue": 5, **dict.fromkeys(self.PARTS, 4),
            "cache_hit": 0, "cache_miss": 0})
        for part in self.PARTS:
            self.assertGreater(gained[part]["ns"], 0)
        self.assertGreaterEqual(gained["success"]["ns"], sum(gained[part]["ns"] for part in self.PARTS))
        sizes = {batch["batch_size"]: batch["compute_infer"]["count"] for batch in after["batch_stats"]}
        self.assertEqual((sizes[2], sizes[5]), (1, 2))
        for key in ("response_stats", "memory_usage"):
            self.assertFalse(after[key])

    def test_statistics_are_those_of_the_metrics(self):
        self.infer({"inputs": [binary_input(1, 2, 3)]}, floats(1, 2, 3))
        stats, m = self.stats("copy"), self.server.check_conservation()
        labels = {"model": "copy", "version": "1"}
        self.assertEqual(stats["inference_count"], m.value("rectifier_inference_rows_total", **labels))
        self.assertEqual(stats["inference_stats"]["queue"]["count"],
                         m.value("rectifier_inference_queue_duration_seconds_count", **labels))
        self.assertEqual(stats["inference_stats"]["success"]["count"],
                         m.value("rectifier_inference_requests_total", **labels, result="ok"))

    def test_configuration(self):
        for model, batched in (("copy", True), ("kinds", False)):
            config = self.ask("GET", f"/v2/models/{model}/config").json()
            self.assertEqual(config, self.ask("GET", f"/v2/models/{model}/versions/1/config").json())
            metadata = self.ask("GET", f"/v2/models/{model}").json()
            self.assertEqual(config["max_batch_size"] > 0, batched)
            self.assertEqual((config["name"], config["platform"]), (model, metadata["platform"]))
            for key in ("input", "output"):
                batch = [-1] if batched else []
                self.assertEqual(
                    [(v["name"], v["data_type"], batch + v["dims"]) for v in config[key]],
                    [(v["name"], "TYPE_" + v["datatype"], v["shape"]) for v in metadata[f"{key}s"]])

    def test_unknown(self):
        for path in ("nothing/stats", "nothing/config", "copy/versions/2/stats"):
            self.assert_error(self.ask("GET", f"/v2/models/{path}"), 404, "Request for unknown model")


class Others(ClientTest):
    """KServe's client and Triton's asynchronous one."""

    def test_kserve(self):
        """Names the model in the body, too."""
        text = json.dumps({"id": "7f1c", "model_name": "copy", "inputs": [
            {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [[1, 2, 3]]}]}).encode()
        reply = self.ask("POST", "/v2/models/copy/infer", text, [
            ("accept", "*/*"), ("accept-encoding", "gzip, deflate, br"), ("content-type", "application/json")])
        answer, _ = self.parts(reply)
        self.assertEqual((answer["id"], answer["model_name"]), ("7f1c", "copy"))
        self.assertEqual(answer["outputs"][0]["data"], [1.0, 2.0, 3.0])

    def test_fp16(self):
        """Half precision in bytes, as KServe's own test sends it."""
        half = bytes.fromhex("cd469a41cd44")
        request = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP16",
                               "parameters": {"binary_data_size": 6}}]}
        answer, _ = self.infer(request, half)
        self.assertEqual(floats(*answer["outputs"][0]["data"]), floats(*struct.unpack("<3e", half)))

    def test_asynchronous(self):
        """Content-Type and Accept-Encoding on every call; errors and metadata are never compressed."""
        always = [("content-type", "application/octet-stream"), ("accept-encoding", "gzip, deflate")]
        for method, path, body in (("GET", "/v2/models/copy", None), ("GET", "/v2", None),
                                   ("POST", "/v2/models/copy/infer", b"{}")):
            reply = self.ask(method, path, body, always)
            self.assertIsNone(reply.header("Content-Encoding"))
            reply.json()
        answer, blocks = self.infer({"inputs": [binary_input(1, 2, 3)],
                                     "parameters": {"binary_data_output": True}},
                                    floats(1, 2, 3), headers=always)
        self.assertEqual(blocks["z"], floats(1, 2, 3))


class RealClient(ClientTest):
    """tritonclient itself, where it is installed."""

    def setUp(self):
        try:
            import tritonclient.http as triton
            import numpy
        except ImportError as e:
            self.skipTest(f"{e.name} is not installed")
        self.np, self.triton = numpy, triton
        self.client = triton.InferenceServerClient(f"127.0.0.1:{self.server.port}")
        self.addCleanup(self.client.close)

    def test_infer(self):
        x = self.np.array([[1.5, -2, 0.25]], self.np.float32)
        for binary in (False, True):
            given = self.triton.InferInput("x", [1, 3], "FP32")
            given.set_data_from_numpy(x, binary_data=binary)
            for outputs in (None, [self.triton.InferRequestedOutput("y", binary_data=binary)]):
                got = self.client.infer("copy", [given], outputs=outputs, timeout=60000000)
                self.assertTrue((got.as_numpy("y") == x).all())

    def test_metadata(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("copy"))
        self.assertEqual(self.client.get_model_metadata("copy")["name"], "copy")


if __name__ == "__main__":
    unittest.main()
