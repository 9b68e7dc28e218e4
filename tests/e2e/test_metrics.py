"""/metrics: the text format, the names that dashboards rely on, and what the numbers say."""

import json
import shutil
import subprocess
import unittest

import prometheus
import support

MODEL = ("model", "version")
LAYER = MODEL + ("layer",)
# family: type, labels of its samples
FAMILIES = {
    "rectifier_build_info": ("gauge", ("version", "isa", "blas")),
    "rectifier_model_info": ("gauge", MODEL + ("format", "sha256")),
    "rectifier_activation_info": ("gauge", LAYER + ("type", "index", "channels")),
    "rectifier_http_requests_total": ("counter", ("method", "route", "code")),
    "rectifier_http_request_duration_seconds": ("histogram", ("route",)),
    "rectifier_http_connections": ("gauge", ()),
    "rectifier_http_connections_rejected_total": ("counter", ()),
    "rectifier_http_accept_failures_total": ("counter", ()),
    "rectifier_log_lines_dropped_total": ("counter", ()),
    "rectifier_inference_started_total": ("counter", MODEL),
    "rectifier_inference_requests_total": ("counter", MODEL + ("result",)),
    "rectifier_inference_shed_total": ("counter", MODEL + ("reason",)),
    "rectifier_inference_duration_seconds": ("histogram", MODEL),
    "rectifier_inference_queue_duration_seconds": ("histogram", MODEL),
    "rectifier_inference_compute_duration_seconds": ("histogram", MODEL),
    "rectifier_inference_batch_rows": ("histogram", MODEL),
    "rectifier_inference_rows_total": ("counter", MODEL),
    "rectifier_inference_executions_total": ("counter", MODEL),
    "rectifier_inference_pending_requests": ("gauge", MODEL),
    "rectifier_inference_queue_limit": ("gauge", MODEL),
    "rectifier_node_compute_seconds_total": ("counter", MODEL + ("node",)),
    "rectifier_threads": ("gauge", ()),
    "rectifier_model_ready": ("gauge", MODEL),
    "rectifier_model_load_timestamp_seconds": ("gauge", MODEL),
    "rectifier_activation_values_total": ("counter", LAYER),
    "rectifier_activation_zeros_total": ("counter", LAYER),
    "rectifier_activation_nonfinite_total": ("counter", LAYER),
    "rectifier_activation_window_inputs": ("gauge", MODEL),
    "rectifier_activation_novelty": ("histogram", MODEL),
    "rectifier_metrics_series_dropped_total": ("counter", ()),
    "process_cpu_seconds_total": ("counter", ()),
    "process_resident_memory_bytes": ("gauge", ()),
    "process_open_fds": ("gauge", ()),
    "process_max_fds": ("gauge", ()),
    "process_start_time_seconds": ("gauge", ()),
    "process_threads": ("gauge", ()),
}
# may be absent: not for every network, host or number of inputs
SOMETIMES = {
    "rectifier_cpu_quota_cores": ("gauge", ()),
    "rectifier_model_load_failures_total": ("counter", ("model",)),
    "rectifier_activation_inactive_total": ("counter", LAYER),
    "rectifier_activation_sparsity_ratio": ("gauge", LAYER),
    "rectifier_activation_dead_channels": ("gauge", LAYER),
    "rectifier_activation_near_dead_channels": ("gauge", LAYER),
    "rectifier_activation_always_on_channels": ("gauge", LAYER),
    "rectifier_activation_dead_units": ("gauge", LAYER),
    "rectifier_activation_drift_score": ("gauge", LAYER),
    "rectifier_activation_drift_state": ("gauge", MODEL),
    "rectifier_activation_class_mix_score": ("gauge", MODEL),
}
RESULTS = {"ok", "client_error", "shed", "deadline", "cancelled", "failed"}
SECONDS = [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5,
           1, 2.5, 10]
NOVELTY = [0.25, 0.5, 1, 2, 3, 5, 10, 30, 100, 1000, 10000]
ROWS = [1, 2, 4, 8, 16, 32, 64, 128]


class MetricsTest(support.ServerTest):
    def check_format(self, metrics):
        known = {**FAMILIES, **SOMETIMES}
        for name, family in metrics.families.items():
            self.assertIn(name, known, "a name the contract does not have")
            kind, labels = known[name]
            self.assertEqual(family.type, kind, name)
            self.assertTrue(family.help and family.help[0].isupper() or family.help, name)
            for _, got, _ in family.samples:
                self.assertEqual(set(got) - {"le"}, set(labels), name)
        self.assertEqual(sorted(set(FAMILIES) - set(metrics.families)), [], "families missing")
        prometheus.check_histograms(metrics)

    def bounds(self, metrics, family):
        return sorted({float(k["le"].replace("Inf", "inf"))
                       for k, _ in metrics.samples(family + "_bucket")})

    def test_content_type(self):
        with self.server.client() as client:
            reply = client.get("/metrics")
        self.assertEqual(reply.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")

    def test_before_the_first_request(self):
        """A fresh server: every known counter is there with 0."""
        with support.Server() as server:
            m = server.metrics()
            self.check_format(m)
            results = {k["result"]: v for k, v in m.samples("rectifier_inference_requests_total")}
            self.assertEqual(results, dict.fromkeys(RESULTS, 0))
            reasons = {k["reason"]: v for k, v in m.samples("rectifier_inference_shed_total")}
            self.assertLessEqual(set(reasons), {"queue", "memory", "loading", "draining"})
            self.assertGreaterEqual(set(reasons), {"queue", "draining"})
            self.assertEqual(m.value("rectifier_inference_rows_total", model="digits"), 0)
            for layer in ("features.2", "features.5", "features.9", "classifier.1"):
                self.assertEqual(m.value("rectifier_activation_values_total", layer=layer), 0)
            self.assertEqual(m.value("rectifier_model_ready", model="digits"), 1)
            self.assertEqual(m.samples("rectifier_activation_dead_channels"), [])

    def test_after_traffic(self):
        digits = support.Digits.get()
        before = self.server.metrics()
        with self.server.client() as client:
            for n in (1, 2, 5, 32):
                client.post("/infer", digits.images.rows(0, n).tobytes(), support.RAW)
            client.post("/infer", b"[1,")
            client.post("/v2/models/digits/infer", b"{}")
            client.get("/nothing")
            client.get("/other?x=1")
        after = self.server.check_conservation()
        self.check_format(after)

        def rise(name, **labels):
            return after.total(name, **labels) - before.total(name, **labels)

        self.assertEqual(rise("rectifier_inference_rows_total"), 40)
        self.assertEqual(rise("rectifier_inference_requests_total", result="ok"), 4)
        self.assertEqual(rise("rectifier_inference_requests_total", result="client_error"), 2)
        self.assertEqual(rise("rectifier_inference_started_total"), 6)
        self.assertEqual(rise("rectifier_inference_batch_rows_sum"), 40)
        self.assertEqual(rise("rectifier_inference_batch_rows_count"),
                         rise("rectifier_inference_executions_total"))
        self.assertEqual(rise("rectifier_activation_values_total", layer="features.2"), 40 * 1024)
        self.assertEqual(rise("rectifier_http_requests_total", code="404"), 2)
        routes = {k["route"] for k, _ in after.samples("rectifier_http_requests_total")}
        self.assertFalse(routes & {"/nothing", "/other"}, "paths that clients invent become labels")

    def test_nodes(self):
        """Each node that inspect lists has a time once the network has run often enough, and none before."""
        image = support.Digits.get().images.rows(0, 1).tobytes()
        inspected = json.loads(support.run("inspect", support.DIGITS, "--json").stdout)
        with support.Server() as server, server.client() as client:
            before = server.metrics().samples("rectifier_node_compute_seconds_total")
            for _ in range(130):
                client.post("/infer", image, support.RAW)
            after = server.metrics().samples("rectifier_node_compute_seconds_total")
        self.assertEqual({value for _, value in before}, {0})
        self.assertEqual({labels["node"] for labels, _ in after}, {layer["name"] for layer in inspected["layers"]})
        self.assertGreater(min(value for _, value in after), 0)

    def test_buckets(self):
        m = self.server.metrics()
        for family in FAMILIES:
            if FAMILIES[family][0] == "histogram" and m.samples(family + "_bucket"):
                want = (ROWS if family.endswith("_rows") else
                        NOVELTY if family.endswith("_novelty") else SECONDS)
                self.assertEqual(self.bounds(m, family), [*want, float("inf")], family)

    def test_gauges_appear_with_enough_inputs(self):
        with support.Server("--activity-min-inputs", "10") as server:
            data = support.Digits.get().images
            with server.client() as client:
                client.post("/infer", data.rows(0, 9).tobytes(), support.RAW)
                self.assertEqual(server.metrics().samples("rectifier_activation_dead_channels"), [])
                client.post("/infer", data.rows(9, 40).tobytes(), support.RAW)
                m = server.metrics()
                layers = client.get("/v2/models/digits/activity").json()["layers"]
            for layer in layers:
                self.assertEqual(m.value("rectifier_activation_dead_channels", layer=layer["name"]),
                                 layer["channels"]["dead"])

    def test_hostile_names_are_escaped(self):
        """A layer named with quotes and backslashes stays one label."""
        network = {"format": 1, "name": "m", "input": {"name": "x", "shape": [2]},
                   "layers": [{"type": "relu", "name": "a\"b\\c{}=,é"}], "output": {"name": "y"}}
        with support.Folder() as folder:
            with support.Server(model=folder.model("m", network, {})) as server:
                m = server.metrics()
                self.check_format(m)
                ((labels, _),) = m.samples("rectifier_activation_values_total")
                self.assertEqual(labels["layer"], 'a"b\\c{}=,é')

    def test_levels(self):
        for level in ("off", "layer"):
            with self.subTest(level), support.Server("--activity", level) as server:
                support.assert_serves(self, server)
                m = server.metrics()
                values = m.samples("rectifier_activation_values_total")
                self.assertEqual(len(values), 0 if level == "off" else 4)
                prometheus.check_histograms(m)

    def test_metadata(self):
        with self.server.client() as client:
            server = client.get("/v2").json()
            self.assertEqual((server["name"], type(server["extensions"])), ("rectifier", list))
            self.assertEqual(client.get("/v2/health/live").json(), {"live": True})
            self.assertEqual(client.get("/v2/health/ready").json(), {"ready": True})
            self.assertEqual(client.get("/v2/models").json(), {"models": ["digits"]})
            model = client.get("/v2/models/digits").json()
            self.assertEqual((model["name"], model["versions"]), ("digits", ["1"]))
            self.assertEqual(model["inputs"],
                             [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 8, 8]}])
            self.assertEqual(model["outputs"],
                             [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}])
            self.assertEqual(client.get("/v2/models/digits?test=1").status, 200)

    def test_promtool(self):
        promtool = shutil.which("promtool")
        if not promtool:
            self.skipTest("promtool is not installed")
        with self.server.client() as client:
            text = client.get("/metrics").body
        done = subprocess.run([promtool, "check", "metrics"], input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        self.assertEqual((done.returncode, done.stdout.decode()), (0, ""))


if __name__ == "__main__":
    unittest.main()
