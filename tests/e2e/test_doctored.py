"""A network with neurons that were killed on purpose: exactly those are reported dead."""

import unittest

import support
import tensors

KILLED = {"features.2": ("features.1.bias", [3, 7, 15]),
          "features.5": ("features.4.bias", [0, 16, 30, 31]),
          "features.9": ("features.8.bias", [1])}
DYING = ("features.4.bias", list(range(17)))  # 17 of 32: more than half


def doctored(folder, name, edits, value=-100.0):
    weights = tensors.safetensors_read(support.DIGITS / "model.safetensors")
    for tensor, channels in edits:
        for c in channels:
            weights[tensor].values[c] = value
    return folder.model(name, (support.DIGITS / "model.json").read_bytes(), weights)


class Doctored(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)

    def activity(self, server):
        with server.client() as client:
            return {la["name"]: la for la in client.get("/v2/models/digits/activity").json()["layers"]}

    def feed(self, server, first, last):
        images = support.Digits.get().images
        with server.client() as client:
            reply = client.post("/infer", images.rows(first, last).tobytes(), support.RAW)
            self.assertEqual(reply.status, 200, reply)

    def test_exactly_the_killed_channels(self):
        model = doctored(self.folder, "digits", KILLED.values())
        kept, _ = support.infer_offline(self, self.folder, model, support.Digits.get().images,
                                        "--keep", "activations")
        with support.Server(model=model) as server:
            self.feed(server, 0, 299)
            for layer in self.activity(server).values():
                self.assertEqual(layer["verdict"], "unknown")
                for key in ("dead", "near_dead", "always_on", "dead_indices"):
                    self.assertIsNone(layer["channels"][key], f"{layer['name']} {key}")
            gauges = server.metrics().samples("rectifier_activation_dead_channels")
            self.assertEqual(gauges, [], "gauges exist below the minimum of inputs")

            self.feed(server, 299, 360)
            layers = self.activity(server)
            metrics = server.metrics()
            for name, (_, channels) in KILLED.items():
                self.assertEqual(layers[name]["channels"]["dead_indices"], channels)
                self.assertEqual(layers[name]["channels"]["dead"], len(channels))
                self.assertEqual(layers[name]["verdict"], "healthy")
            for name, layer in layers.items():
                tensor = kept[name]
                size = tensor.row_size // tensor.shape[1]
                alive = {i % tensor.row_size // size for i, v in enumerate(tensor.values) if v > 0}
                dead = sorted(set(range(tensor.shape[1])) - alive)
                self.assertEqual(layer["channels"]["dead_indices"], dead, name)
                self.assertAlmostEqual(layer["channels"]["dead_rate_upper"], 3 / 360, delta=1e-4)
                for labels, value in metrics.samples("rectifier_activation_dead_channels"):
                    if labels["layer"] == name:
                        self.assertEqual(value, len(dead))

    def test_dying_layer(self):
        model = doctored(self.folder, "digits", [DYING])
        with support.Server(model=model) as server:
            self.feed(server, 0, 360)
            layers = self.activity(server)
            self.assertEqual(layers["features.5"]["channels"]["dead_indices"], DYING[1])
            self.assertEqual(layers["features.5"]["verdict"], "dying")
            self.assertGreater(layers["features.5"]["sparsity"], 0.7)
            self.assertIn("high sparsity", " ".join(layers["features.5"]["notes"]))
            self.assertEqual(layers["features.2"]["verdict"], "healthy")
            self.assertEqual(layers["features.2"]["notes"], [])

    def test_where_nan_begins(self):
        """The first layer that has it says so: of weights where they are, of inputs at the first layer of all."""
        model = doctored(self.folder, "digits", [("features.4.bias", [3])], float("nan"))
        with support.Server(model=model) as server:
            self.feed(server, 0, 2)
            layers = self.activity(server)
            self.assertEqual(layers["features.2"]["nonfinite"], 0)
            self.assertEqual(layers["features.5"]["nonfinite"], 2 * 64)
            self.assertGreater(layers["features.9"]["nonfinite"], 0)
            self.assertEqual([name for name, la in layers.items() if la["notes"]], ["features.5"])
            with server.client() as client:
                one = client.get("/v2/models/digits/activity?layer=features.9").json()["layers"][0]
                self.assertEqual(one["notes"], [])
                image = support.Digits.get().images.rows(0, 1)
                image.values[0] = float("nan")
                self.assertEqual(client.post("/infer", image.tobytes(), support.RAW).status, 200)
            layers = self.activity(server)
            self.assertEqual([name for name, la in layers.items() if la["notes"]], ["features.2"])
            self.assertIn("NaN or infinity", layers["features.2"]["notes"][0])

    def test_rejected_rows_do_not_count(self):
        model = doctored(self.folder, "digits", [])
        with support.Server(model=model) as server:
            with server.client() as client:
                for body in (b"", b"[1,2", b"[1,2,3]", b'{"inputs":[]}'):
                    self.assertEqual(client.post("/infer", body).status, 400)
                activity = client.get("/v2/models/digits/activity").json()
            self.assertEqual(activity["inputs"], 0)
            for layer in activity["layers"]:
                self.assertEqual((layer["values"], layer["zeros"]), (0, 0))


if __name__ == "__main__":
    unittest.main()
