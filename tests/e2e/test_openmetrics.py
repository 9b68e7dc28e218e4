"""/metrics as OpenMetrics where Accept asks for it, and as before where it does not."""

import unittest

import prometheus
import support

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
CLASSIC = "text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
              "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
ACCEPT = {None: CLASSIC, "*/*": CLASSIC, "text/plain": CLASSIC, "text/html,*/*;q=0.8": CLASSIC,
          "application/openmetrics-text;q=0.1,text/plain;q=0.2": CLASSIC, PROMETHEUS: OPEN,
          "application/openmetrics-text": OPEN,
          "text/plain;q=0.5, application/openmetrics-text; version=1.0.0": OPEN}
TRACE = "0af7651916cd43dd8448eb211c80319c"


class OpenMetrics(support.ServerTest):
    def scrape(self, accept):
        with self.server.client() as client:
            reply = client.get("/metrics", {"Accept": accept} if accept else {})
        self.assertEqual(reply.status, 200)
        return reply.header("Content-Type"), reply.body.decode()

    def test_negotiation(self):
        for accept, want in ACCEPT.items():
            kind, text = self.scrape(accept)
            self.assertEqual(kind, want, accept)
            self.assertEqual(text.endswith("# EOF\n"), want == OPEN, accept)
            prometheus.parse(text, want == OPEN)

    def test_both_formats_say_the_same(self):
        with self.server.client() as client:
            body = support.Digits.get().oip(0, 3, parameters={"novelty": True})
            headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            self.assertEqual(client.post("/infer", body, headers).status, 200)
        self.server.check_conservation()
        classic = prometheus.parse(self.scrape(None)[1])
        text = self.scrape(PROMETHEUS)[1]
        opened = prometheus.parse(text, True)
        prometheus.check_histograms(prometheus.Metrics(text, True))
        names = {name[:-6] if family.type == "counter" else name
                 for name, family in classic.items()}
        self.assertEqual(names, set(opened))
        for name, family in classic.items():
            other = opened[name[:-6] if family.type == "counter" else name]
            self.assertEqual((family.type, family.help), (other.type, other.help), name)
            if name.startswith(("rectifier_inference", "rectifier_activation", "rectifier_model")):
                self.assertEqual(family.samples, other.samples, name)

    def test_exemplars(self):
        with self.server.client() as client:
            body = support.Digits.get().oip(5, 6, parameters={"novelty": True})
            headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            (distance,) = client.post("/infer", body, headers).json()["parameters"]["novelty"]
        self.assertNotIn(" # ", self.scrape(None)[1])
        families = prometheus.parse(self.scrape(PROMETHEUS)[1], True)
        self.assertEqual([n for n, f in families.items() if f.exemplars],
                         ["rectifier_activation_novelty"])
        exemplars = families["rectifier_activation_novelty"].exemplars
        near = [e for e in exemplars if abs(e[2] - distance) < 1e-5 * distance + 1e-6]
        self.assertTrue(near, f"{distance} is not among {exemplars}")
        for bucket, labels, value in exemplars:
            self.assertEqual(labels, {"trace_id": TRACE})
            self.assertLessEqual(value, float(bucket["le"].replace("Inf", "inf")))

    def test_series_of_a_layer(self):
        """At most 14, counted where all are there."""
        with self.server.client() as client:
            digits = support.Digits.get()
            client.post("/infer", digits.images.tobytes(), support.RAW)
        series = [(f.name, s) for f in self.server.metrics().families.values() for s in f.samples
                  if s[1].get("layer") == "features.5"]
        self.assertLessEqual(len(series), 14, series)
        self.assertGreaterEqual(len(series), 9, series)


if __name__ == "__main__":
    unittest.main()
