"""The bundled network over HTTP: right in every body form, and counted exactly."""

import json
import math
import re
import unittest

import support
import tensors

CLIENTS = 8
JSON = {"Content-Type": "application/json"}


def oip_output(test, reply, first, last):
    """The values of an Open Inference Protocol reply, with its form checked."""
    test.assertEqual(reply.status, 200, reply)
    test.assertEqual(reply.header("Content-Type").split(";")[0], "application/json")
    body = reply.json()
    test.assertEqual(body["model_name"], "digits")
    (output,) = body["outputs"]
    test.assertEqual((output["name"], output["datatype"], output["shape"]),
                     ("probabilities", "FP32", [last - first, 10]))
    return output["data"]


def send_oip(test, client, images, first, last, path="/v2/models/digits/infer"):
    body = support.Digits.get().oip(first, last, id=f"r{first}")
    reply = client.post(path, body, JSON)
    test.assertEqual(reply.json().get("id"), f"r{first}")
    return oip_output(test, reply, first, last)


def send_array(test, client, images, first, last):
    nested = images.rows(first, last).nested()
    if last - first == 1 and first % 2:
        nested = nested[0]  # one sample without its batch dimension
    return oip_output(test, client.post("/infer", nested, JSON), first, last)


def send_flat_array(test, client, images, first, last):
    rows = [images.row(i).tolist() for i in range(first, last)]
    return oip_output(test, client.post("/infer", rows if len(rows) > 1 else rows[0]), first, last)


def send_instances(test, client, images, first, last):
    reply = client.post("/infer", {"instances": images.rows(first, last).nested()}, JSON)
    test.assertEqual(reply.status, 200, reply)
    predictions = reply.json()["predictions"]
    test.assertEqual([len(row) for row in predictions], [10] * (last - first))
    return [v for row in predictions for v in row]


def send_raw(test, client, images, first, last):
    reply = client.post("/infer", images.rows(first, last).tobytes(), support.RAW)
    test.assertEqual(reply.status, 200, reply)
    test.assertEqual(reply.header("Content-Type"), "application/octet-stream")
    shape = [int(d) for d in re.findall(r"\d+", reply.header("X-Tensor-Shape"))]
    test.assertEqual(shape, [last - first, 10])
    return tensors.floats(reply.body)


def send_npy(test, client, images, first, last):
    body = tensors.npy_bytes(images.rows(first, last))
    reply = client.post("/infer", body, {"Content-Type": "application/x-npy",
                                         "Accept": "application/x-npy"})
    test.assertEqual(reply.status, 200, reply)
    answer = tensors.npy_parse(reply.body)
    test.assertEqual(answer.shape, (last - first, 10))
    return answer.values


def send_npy_by_magic(test, client, images, first, last):
    body = tensors.npy_bytes(images.rows(first, last))
    return oip_output(test, client.post("/infer", body), first, last)


FORMS = [send_oip, send_array, send_flat_array, send_instances, send_raw, send_npy,
         send_npy_by_magic]


class Every(support.ServerTest):
    def whole_split(self, send):
        """All test images by 8 clients in batches of 1 to 7; every answer compared."""
        digits = support.Digits.get()
        classes = [None] * digits.n

        def work(k):
            size = k % 7 + 1
            share = range(digits.n * k // CLIENTS, digits.n * (k + 1) // CLIENTS)
            with self.server.client() as client:
                for first in range(share.start, share.stop, size):
                    last = min(first + size, share.stop)
                    values = send(self, client, digits.images, first, last)
                    self.assertIsNone(digits.wrong(first, values))
                    for i in range(first, last):
                        row = values[(i - first) * 10 : (i - first + 1) * 10]
                        classes[i] = max(range(10), key=row.__getitem__)

        support.in_threads(CLIENTS, work)
        self.assertEqual(classes, digits.classes)
        right = sum(a == b for a, b in zip(classes, digits.labels))
        self.assertGreaterEqual(right, 0.985 * digits.n)

    def test_batch_larger_than_a_run(self):
        digits = support.Digits.get()
        with self.server.client() as client:
            for send in (send_oip, send_raw, send_npy):
                with self.subTest(send.__name__):
                    values = send(self, client, digits.images, 0, digits.n)
                    self.assertIsNone(digits.wrong(0, values))

    def test_labels(self):
        digits = support.Digits.get()
        with self.server.client() as client:
            for i in (0, 5, 77):
                body = client.post("/infer", digits.oip(i, i + 1), JSON).json()
                parameters = body["parameters"]
                label, confidence = parameters["label"], parameters["confidence"]
                if isinstance(label, list):
                    (label,), (confidence,) = label, confidence
                self.assertEqual(label, str(digits.classes[i]))
                self.assertAlmostEqual(confidence, max(digits.outputs.row(i)), delta=1e-5)

    def test_empty_batch(self):
        with self.server.client() as client:
            body = {"inputs": [{"name": "image", "shape": [0, 1, 8, 8], "datatype": "FP32",
                                "data": []}]}
            reply = client.post("/v2/models/digits/infer", body, JSON)
            self.assertEqual(reply.status, 200, reply)
            (output,) = reply.json()["outputs"]
            self.assertEqual((output["shape"], output["data"]), ([0, 10], []))

    def test_json_numbers_round_trip(self):
        """JSON and raw replies of the same request are the same floats."""
        digits = support.Digits.get()
        with self.server.client() as client:
            for i in range(0, 60, 7):
                data = digits.images.rows(i, i + 1).tobytes()
                raw = client.post("/infer", data, support.RAW).body
                text = client.post("/infer", data,
                                   {"Content-Type": "application/octet-stream"}).json()
                values = tensors.Tensor((10,), text["outputs"][0]["data"])
                self.assertEqual(values.tobytes(), raw)

    def test_chunked_body(self):
        digits = support.Digits.get()
        body = json.dumps(digits.oip(3, 5)).encode()
        parts = [body[i : i + 100] for i in range(0, len(body), 100)]
        with self.server.client() as client:
            client.http.request("POST", "/infer", body=iter(parts), encode_chunked=True,
                                headers={"Transfer-Encoding": "chunked", **JSON})
            answer = client.http.getresponse()
            values = json.loads(answer.read())["outputs"][0]["data"]
        self.assertIsNone(digits.wrong(3, values))


def add_form(send):
    setattr(Every, "test_" + send.__name__[5:], lambda self: self.whole_split(send))


for form in FORMS:
    add_form(form)


class Counters(support.ServerTest):
    """Every image once, by 8 clients in all forms; then the counters are compared with a recount."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        digits = support.Digits.get()
        cls.golden = json.loads((support.GOLDENS / "digits_activity.json").read_text())
        case = unittest.TestCase()

        def work(k):
            share = range(digits.n * k // CLIENTS, digits.n * (k + 1) // CLIENTS)
            with cls.server.client() as client:
                for first in range(share.start, share.stop, 3):
                    last = min(first + 3, share.stop)
                    FORMS[(first + k) % len(FORMS)](case, client, digits.images, first, last)

        support.in_threads(CLIENTS, work)
        cls.metrics = cls.server.check_conservation()
        with cls.server.client() as client:
            cls.activity = client.get("/v2/models/digits/activity").json()
            cls.with_channels = client.get("/v2/models/digits/activity?channels=1").json()
        with support.Folder() as folder:
            cls.kept, text = support.infer_offline(case, folder, support.DIGITS, digits.images,
                                                   "--keep", "activations", "--activity",
                                                   env=cls.ENV)
        cls.offline = json.loads(text)

    def layers(self):
        """(what PyTorch counted, what /activity says), layer by layer."""
        self.assertEqual([la["name"] for la in self.activity["layers"]],
                         [la["name"] for la in self.golden["layers"]])
        return list(zip(self.golden["layers"], self.activity["layers"]))

    def test_offline_answers_are_right(self):
        outputs = self.kept["probabilities"]
        self.assertEqual(outputs.shape, (360, 10))
        self.assertIsNone(support.Digits.get().wrong(0, outputs.values))

    def test_sums(self):
        self.assertEqual(self.activity["inputs"], 360)
        self.assertEqual(self.metrics.value("rectifier_inference_rows_total", model="digits"), 360)
        requests = sum(math.ceil(45 / 3) for _ in range(CLIENTS))
        self.assertEqual(self.metrics.value("rectifier_inference_requests_total", model="digits",
                                            result="ok"), requests)
        for golden, layer in self.layers():
            units = math.prod(layer["shape"])
            self.assertEqual(layer["values"], 360 * units)
            self.assertEqual(layer["values"], golden["values"])
            self.assertEqual(layer["channels"]["total"], golden["channels"])
            self.assertEqual(layer["nonfinite"], 0)
            self.assertEqual(layer["type"], "Relu")

    def recount(self, name):
        kept = self.kept[name]
        channels, pixels = kept.shape[1], math.prod(kept.shape[2:])
        zeros, dead, always, near = [0] * channels, [], [], []
        fired_inputs = [0] * channels
        for n in range(kept.shape[0]):
            row = kept.row(n)
            for c in range(channels):
                count = row[c * pixels : (c + 1) * pixels].count(0.0)
                zeros[c] += count
                fired_inputs[c] += count < pixels
        inputs = kept.shape[0]
        for c in range(channels):
            if fired_inputs[c] == 0:
                dead.append(c)
            elif fired_inputs[c] < 0.01 * inputs:
                near.append(c)
            if zeros[c] == 0:
                always.append(c)
        return zeros, dead, near, always, kept.values

    def test_offline_counts_equal_a_recount(self):
        """Same run, same values: exactly equal."""
        layers = self.offline["layers"]
        self.assertEqual(len(layers), 4)
        for layer in layers:
            zeros, dead, near, always, values = self.recount(layer["name"])
            self.assertEqual(layer["zeros"], sum(zeros), layer["name"])
            self.assertEqual(layer["values"], len(values))
            channels = layer["channels"]
            self.assertEqual(channels["dead_indices"], dead)
            self.assertEqual((channels["dead"], channels["near_dead"], channels["always_on"]),
                             (len(dead), len(near), len(always)), layer["name"])

    def test_served_counts_equal_a_recount(self):
        """Other batches than offline: values within rounding of zero may differ, as PyTorch noted
        how many there are."""
        for golden, layer in self.layers():
            zeros, dead, near, always, _ = self.recount(layer["name"])
            self.assertLessEqual(abs(layer["zeros"] - sum(zeros)), golden["near_zero"])
            self.assertEqual(layer["channels"]["dead_indices"], dead)
            self.assertEqual(layer["channels"]["near_dead"], len(near))
            self.assertEqual(layer["channels"]["always_on"], len(always))

    def test_channel_counts(self):
        for golden, layer in zip(self.golden["layers"], self.with_channels["layers"]):
            zeros = self.recount(layer["name"])[0]
            counts = layer["per_channel"]["zeros"]
            self.assertEqual(len(counts), golden["channels"])
            off = sum(abs(a - b) for a, b in zip(counts, zeros))
            self.assertLessEqual(off, golden["near_zero"], layer["name"])
            self.assertEqual(sum(counts), layer["zeros"])

    def test_pytorch_shares(self):
        for golden, layer in self.layers():
            self.assertAlmostEqual(layer["sparsity"], golden["zeros"] / golden["values"], delta=1e-5)
            self.assertLessEqual(abs(layer["zeros"] - golden["zeros"]), golden["near_zero"])

    def test_moments(self):
        for golden, layer in self.layers():
            for key in ("mean", "std", "max"):
                self.assertAlmostEqual(layer[key], golden[key], delta=1e-5 * max(1, golden[key]),
                                       msg=f"{layer['name']} {key}")
            values = self.recount(layer["name"])[4]
            mean = math.fsum(values) / len(values)
            deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
            self.assertAlmostEqual(layer["mean"], mean, delta=1e-5)
            self.assertAlmostEqual(layer["std"], deviation, delta=1e-5)
            self.assertAlmostEqual(layer["max"], max(values), delta=1e-5)

    def test_metrics_equal_activity(self):
        for layer in self.activity["layers"]:
            labels = {"model": "digits", "layer": layer["name"]}
            for key in ("values", "zeros", "nonfinite"):
                self.assertEqual(self.metrics.value(f"rectifier_activation_{key}_total", **labels),
                                 layer[key])


class CountersByOpenblas(Counters):
    ENV = {"RECTIFIER_GEMM": "openblas"}


if __name__ == "__main__":
    unittest.main()
