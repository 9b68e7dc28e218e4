"""What requests, windows and units say of the neurons, against a recount of the engine's outputs."""

import json
import random
import threading
import unittest

import support
import tensors
from test_audit import LAYERS, layers_of, recount

ACTIVITY = "/v2/models/digits/activity"


def keep(test, images, *args):
    """Every activation layer's output for these images."""
    with support.Folder() as folder:
        return support.infer_offline(test, folder, "digits", images, "--keep", "activations",
                                     *args)[0]


class Server(support.ServerTest):
    def get(self, path):
        with self.server.client() as client:
            reply = client.get(path)
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def feed(self, first, last):
        images = support.Digits.get().images.rows(first, last)
        with self.server.client() as client:
            self.assertEqual(client.post("/infer", images.tobytes(), support.RAW).status, 200)


class PerRequest(Server):
    ARGS = ("--threads", "2")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kept = keep(cls("test_sparsity"), support.Digits.get().images)

    def ask(self, client, first, last, path="/v2/models/digits/infer", **parameters):
        body = support.Digits.get().oip(first, last, parameters=parameters)
        return client.post(path, body)

    def check(self, reply, first, last):
        self.assertEqual(reply.status, 200, reply)
        got = reply.json()["parameters"]["activity"]
        self.assertEqual(list(got), list(LAYERS))
        for name, sparsity in got.items():
            values, zeros, _, _ = recount(self.kept[name].rows(first, last))
            self.assertEqual(sparsity, zeros / values, f"{name}, rows {first} to {last}")

    def test_sparsity(self):
        with self.server.client() as client:
            for first, last in ((0, 1), (7, 8), (3, 10), (100, 165)):
                for path in ("/v2/models/digits/infer", "/infer"):
                    self.check(self.ask(client, first, last, path, activity=True), first, last)

    def test_same_outputs(self):
        with self.server.client() as client:
            for first, last in ((0, 1), (20, 60)):
                plain = self.ask(client, first, last).json()
                told = self.ask(client, first, last, activity=True, novelty=True).json()
                self.assertEqual(plain["outputs"], told["outputs"])
                self.assertNotIn("activity", plain.get("parameters", {}))
                label = {k: v for k, v in told["parameters"].items() if k in ("label", "confidence")}
                self.assertEqual(label, plain.get("parameters", {}))

    def test_among_others(self):
        """While others share runs, everyone gets their own."""
        def work(i):
            rng = random.Random(i)
            with self.server.client() as client:
                for _ in range(25):
                    first = rng.randrange(340)
                    last = first + rng.randrange(1, 20)
                    if i % 2:
                        self.check(self.ask(client, first, last, activity=True), first, last)
                    else:
                        reply = client.post("/infer", support.Digits.get().images.rows(
                            first, last).tobytes(), support.RAW)
                        self.assertIsNone(support.Digits.get().wrong(first,
                                                                     tensors.floats(reply.body)))
        support.in_threads(8, work)

    def test_counted_as_others(self):
        before = self.get(ACTIVITY)["inputs"]
        with self.server.client() as client:
            self.ask(client, 0, 9, activity=True)
        self.assertEqual(self.get(ACTIVITY)["inputs"], before + 9)

    def test_refusals(self):
        with self.server.client() as client:
            body = support.Digits.get().oip(0, 1, parameters={"activity": 1})
            self.assert_error(client.post("/infer", body), 400, '"activity"', "true or false")
            body = support.Digits.get().oip(0, 1, parameters={"activity": True})
            for accept in ("application/x-npy", "application/octet-stream"):
                self.assert_error(client.post("/infer", body, {"Accept": accept}), 400, "JSON")
        with support.Server("--activity", "off") as off, off.client() as client:
            for key in ("activity", "novelty"):
                body = support.Digits.get().oip(0, 1, parameters={key: True})
                self.assert_error(client.post("/infer", body), 400, key)


class Counted(Server):
    """Batches as they come, then the whole against a recount."""

    ARGS = ("--threads", "2", "--max-delay", "2ms", "--activity-min-inputs", "200")

    def test_channels_and_units(self):
        images = support.Digits.get().images
        spans = [(i, min(i + 1 + i % 5, 360)) for i in range(0, 360, 3)]

        def work(i):
            with self.server.client() as client:
                for first, last in spans[i::8]:
                    client.post("/infer", images.rows(first, last).tobytes(), support.RAW)

        support.in_threads(8, work)
        self.server.check_conservation()
        order = [row for first, last in spans for row in range(first, last)]
        values = images.values[:0]
        for row in order:
            values.extend(images.row(row))
        kept = keep(self, tensors.Tensor((len(order), 1, 8, 8), values))
        report = self.get(ACTIVITY + "?channels=1&units=1")
        self.assertEqual((report["inputs"], report["distinct_inputs"]),
                         (len(order), len({bytes(images.row(row)) for row in order})))
        metrics = self.server.metrics()
        for name, layer in layers_of(report).items():
            tensor = kept[name]
            values, zeros, dead, dead_units = recount(tensor)
            self.assertEqual((layer["values"], layer["zeros"]), (values, zeros))
            self.assertEqual(layer["values"], report["inputs"] * layer["units"]["total"])
            self.assertEqual(layer["channels"]["dead_indices"], dead)
            self.assertEqual(layer["units"]["dead"], dead_units)
            fired = {i % tensor.row_size for i, v in enumerate(tensor.values) if v > 0}
            self.assertEqual(layer["units"]["dead_indices"],
                             sorted(set(range(tensor.row_size)) - fired))
            size = tensor.row_size // tensor.shape[1]
            count = [0] * tensor.shape[1]
            for i, v in enumerate(tensor.values):
                count[i % tensor.row_size // size] += v > 0
            self.assertEqual(layer["per_channel"]["fired"], count)
            self.assertEqual(metrics.value("rectifier_activation_dead_units", layer=name),
                             dead_units)
            self.assertEqual(metrics.value("rectifier_activation_zeros_total", layer=name), zeros)
            self.assertAlmostEqual(metrics.value("rectifier_activation_sparsity_ratio", layer=name),
                                   zeros / values, places=8)


class Windows(Server):
    """Slots of a tenth of a second."""

    ARGS = ("--activity-window", "3s")

    def test_inputs_leave_the_window(self):
        before = self.get(ACTIVITY)["inputs"]
        self.feed(0, 360)
        report = self.get(ACTIVITY)
        self.assertEqual((report["window"], report["inputs"]), ("load", before + 360))
        self.assertGreater(report["window_seconds"], 0)
        support.wait_for(lambda: self.get(ACTIVITY + "?window=3s")["inputs"] == 0,
                         "the end of the window")
        empty = self.get(ACTIVITY + "?window=3s&units=1")
        self.assertLess(empty["window_seconds"], 60 * support.SLOWNESS)
        for layer in empty["layers"]:
            self.assertEqual((layer["values"], layer["verdict"]), (0, "unknown"))
            self.assertIsNone(layer["sparsity"])
        self.assertEqual(self.server.metrics().samples("rectifier_activation_sparsity_ratio"), [])
        self.assertEqual(self.server.metrics().value("rectifier_activation_window_inputs"), 0)
        before = self.get(ACTIVITY)
        self.feed(0, 50)
        after = self.get(ACTIVITY)
        self.assertEqual(after["inputs"], before["inputs"] + 50)
        again = support.wait_for(lambda: self.get(ACTIVITY + "?window=2s")["inputs"] == 0)
        self.assertTrue(again)

    def test_a_window_is_no_longer_than_its_model_is_there(self):
        with support.Server() as server, server.client() as client:
            window, load = (client.get(f"{ACTIVITY}?window={w}").json() for w in ("5m", "load"))
        self.assertLessEqual(window["window_seconds"], load["window_seconds"])

    def test_a_window_is_what_came_since(self):
        """Other inputs than before: the window shows them alone."""
        self.feed(0, 200)
        support.wait_for(lambda: self.get(ACTIVITY + "?window=3s")["inputs"] == 0)

        def fed():
            self.feed(200, 230)
            return self.get(ACTIVITY + "?window=3s")

        report = support.wait_for(fed)
        kept = keep(self, support.Digits.get().images.rows(200, 230))
        for name, layer in layers_of(report).items():
            values, zeros, _, _ = recount(kept[name])
            runs = report["inputs"] // 30
            self.assertEqual((layer["values"], layer["zeros"]), (runs * values, runs * zeros))

    def test_shorter_windows_hold_less(self):
        """Inputs that the last second has no more and the last three still have."""
        def between():
            if self.get(ACTIVITY + "?window=3s")["inputs"] == 0:
                self.feed(0, 10)
            short, long = (self.get(f"{ACTIVITY}?window={w}") for w in ("1s", "3s"))
            return short["inputs"] == 0 and long["inputs"] > 0 and (
                short["window_seconds"] < long["window_seconds"])

        support.wait_for(between, "a moment between the windows")

    def test_refusals(self):
        with self.server.client() as client:
            for window in ("4s", "0s", "soon", "-1s", ""):
                self.assert_error(client.get(f"{ACTIVITY}?window={window}"), 400, "up to 3s")
            self.assert_error(client.get(ACTIVITY + "?units=yes"), 400, "0 or 1")
            self.assert_error(client.get(ACTIVITY + "?unit=1"), 400, "unknown query key")
            self.assert_error(client.get(ACTIVITY + "?channels%7Cunits=1"), 400,
                              "unknown query key")


class Witnesses(Server):
    def test_one_input_repeated(self):
        image = support.Digits.get().images.rows(0, 1).tobytes()
        with self.server.client() as client:
            for _ in range(10):
                client.post("/infer", image * 40, support.RAW)
        report = self.get(ACTIVITY)
        self.assertEqual((report["inputs"], report["distinct_inputs"]), (400, 1))
        for layer in report["layers"]:
            self.assertEqual(layer["verdict"], "unknown")
            self.assertIsNone(layer["channels"]["dead"])
            self.assertIsNone(layer["units"]["dead"])
        self.assertEqual(self.server.metrics().samples("rectifier_activation_dead_channels"), [])


class Levels(unittest.TestCase):
    def activity(self, *args):
        images = support.Digits.get().images
        with support.Server(*args) as server, server.client() as client:
            client.post("/infer", images.tobytes(), support.RAW)
            return client.get(ACTIVITY).json(), server.metrics()

    def test_levels(self):
        unit, _ = self.activity()
        channel, metrics = self.activity("--activity", "channel")
        self.assertEqual(metrics.samples("rectifier_activation_dead_units"), [])
        layer, metrics = self.activity("--activity", "layer")
        self.assertEqual(metrics.samples("rectifier_activation_dead_channels"), [])
        off, _ = self.activity("--activity", "off")
        self.assertEqual(off["layers"], [])
        for a, b, c in zip(unit["layers"], channel["layers"], layer["layers"]):
            self.assertEqual((a["zeros"], a["values"]), (b["zeros"], b["values"]))
            self.assertEqual((a["zeros"], a["values"]), (c["zeros"], c["values"]))
            self.assertEqual(a["channels"], b["channels"])
            self.assertIsNone(b["units"])
            self.assertIsNone(c["channels"])
            self.assertEqual(c["verdict"], "unknown")

    def test_versions_are_compared_by_what_is_watched(self):
        for level in ("layer", "off"):
            with support.Server("--activity", level) as server, server.client() as client:
                client.post("/infer", support.Digits.get().images.tobytes(), support.RAW)
                report = client.get(ACTIVITY + "/compare?versions=1,1").json()
                own = client.get(ACTIVITY).json()
            self.assertEqual([la["sparsity"] for la in report["layers"]],
                             [[la["sparsity"]] * 2 for la in own["layers"]])
            for layer in report["layers"]:
                self.assertEqual((layer["dead"], layer["dead_only"], layer["drift"]), (None, None, None))
            self.assertIn("channel or unit", report["drift"]["why"])

    def test_metrics_detail(self):
        _, metrics = self.activity("--metrics-detail", "model")
        self.assertEqual(metrics.samples("rectifier_activation_zeros_total"), [])
        self.assertEqual(metrics.value("rectifier_activation_window_inputs"), 360)
        report, metrics = self.activity("--metrics-detail", "channel")
        fired = metrics.samples("rectifier_activation_channel_fired_total")
        self.assertEqual(len(fired), 16 + 32 + 32 + 64)
        for layer in report["layers"]:
            self.assertEqual(metrics.total("rectifier_activation_channel_fired_total",
                                           layer=layer["name"]), layer["values"] - layer["zeros"])

    def test_series_are_capped(self):
        network = {"format": 1, "name": "wide", "input": {"name": "x", "shape": [2]},
                   "init": {"scheme": "kaiming_normal", "seed": 1},
                   "layers": [{"type": "linear", "out_features": 10007}, {"type": "relu"}]}
        with support.Folder() as folder:
            model = folder.model("wide", network)
            with support.Server("--metrics-detail", "channel", model=model) as server:
                for scrape in (1, 2):
                    metrics = server.metrics()
                    self.assertEqual(
                        len(metrics.samples("rectifier_activation_channel_fired_total")), 10000)
                    self.assertEqual(metrics.value("rectifier_metrics_series_dropped_total"),
                                     7 * scrape)


class Conservation(Server):
    """Counters under eight clients and somebody who never stops reading them."""

    ARGS = ("--activity-window", "3s", "--threads", "2")

    def counters(self):
        return {(la["name"], key): la[key] for la in self.get(ACTIVITY)["layers"]
                for key in ("values", "zeros", "nonfinite")}

    def test_never_backwards(self):
        images = support.Digits.get().images
        done = threading.Event()
        rows = [0] * 8

        def client_of(i):
            rng = random.Random(i)
            with self.server.client() as client:
                for _ in range(60):
                    n = rng.randrange(1, 40)
                    first = rng.randrange(360 - n)
                    reply = client.post("/infer", images.rows(first, first + n).tobytes(),
                                        support.RAW)
                    self.assertEqual(reply.status, 200)
                    rows[i] += n

        def scrape(_):
            last = self.counters()
            names = ("rectifier_activation_values_total", "rectifier_activation_zeros_total")
            seen = {name: 0 for name in names}
            while not done.is_set():
                now = self.counters()
                for key, value in now.items():
                    self.assertGreaterEqual(value, last[key], key)
                last = now
                metrics = self.server.metrics()
                for name in names:
                    self.assertGreaterEqual(metrics.total(name), seen[name])
                    seen[name] = metrics.total(name)

        def work(i):
            if i == 8:
                return scrape(i)
            try:
                client_of(i)
            finally:
                ended.append(i)
                if len(ended) == 8:
                    done.set()

        ended = []
        support.in_threads(9, work)
        self.server.check_conservation()
        report = self.get(ACTIVITY)
        self.assertEqual(report["inputs"], sum(rows))
        for layer in report["layers"]:
            self.assertEqual(layer["values"], sum(rows) * layer["units"]["total"], layer["name"])


class OfflineUnits(unittest.TestCase):
    def test_infer_activity(self):
        with support.Folder() as folder:
            images = support.Digits.get().images
            kept, text = support.infer_offline(self, folder, "digits", images, "--activity",
                                               "--keep", "activations")
            for name, layer in layers_of(json.loads(text)).items():
                self.assertEqual(layer["units"]["dead"], recount(kept[name])[3], name)


if __name__ == "__main__":
    unittest.main()
