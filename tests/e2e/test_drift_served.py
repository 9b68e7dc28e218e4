"""What a server says of drift is what its network's own activations give, by drift_reference.py, to 1e-6."""

import random
import unittest

import drift_reference as reference
import support
import tensors

MODEL = "/v2/models/digits/activity"
SENT = 340
# Rows of a request, which fill blocks of at least 20 and make runs of at most so many: the inputs that are compared,
# and the last of them. The newest blocks count that have 300 inputs together.
SIZES = ((20, 32, 300, 340), (7, 32, 315, 336), (64, 32, 308, 340), (64, 64, 340, 340), (340, 512, 340, 340))


def spoilt(images):
    """Shifted by a pixel, some columns wrapping around: far enough to be seen."""
    return tensors.Tensor(images.shape, images.values[1:] + images.values[:1])


class ServedDrift(unittest.TestCase):
    def setUp(self):
        self.folder = support.Folder()
        self.addCleanup(self.folder.__exit__)
        self.baseline, self.names = reference.Baseline.read((support.DIGITS / "baseline.json").read_text())

    def rows(self, images):
        """(class, features) of each image, from the activations that `infer` writes."""
        kept, _ = support.infer_offline(self, self.folder, support.DIGITS, images, "--keep", "activations")
        classes = kept["probabilities"].argmax_rows()
        rows = []
        for i in range(images.shape[0]):
            features = reference.features_of_input(images.row(i), 1)
            for name, layer in zip(self.names[1:], self.baseline.layers[1:]):
                features += reference.features_of_layer(kept[name].row(i), layer.channels)
            rows.append((classes[i], features))
        return rows

    def send(self, client, images, size):
        for i in range(0, images.shape[0], size):
            rows = images.rows(i, min(i + size, images.shape[0]))
            reply = client.post("/infer", rows.tobytes(), support.RAW)
            self.assertEqual(reply.status, 200, reply)

    def drift(self, client):
        return client.get(MODEL).json()["drift"]

    def close(self, got, want):
        self.assertEqual(len(got), len(want))
        for a, b in zip(got, want):
            self.assertLessEqual(abs(a - b), 1e-6 * max(1, abs(b)))

    def check_drift(self, drift, rows):
        window = reference.Block.of(rows, len(self.baseline.classes))
        score, layers = self.baseline.scores(window)
        self.assertEqual(drift["n"], len(rows))
        self.assertEqual([la["name"] for la in drift["layers"]], self.names)
        self.close([la["score"] for la in drift["layers"]] + [drift["score"]], layers + [score])
        self.assertLessEqual(abs(drift["mix"] - self.baseline.mix(window)[0]), 1e-9)

    def check(self, images):
        """However many rows requests have; the drift of the last of them."""
        rows = self.rows(images)
        for size, most, n, end in SIZES:
            with self.subTest(size=size, most=most):
                with support.Server("--max-batch", most) as server, server.client() as client:
                    self.send(client, images, size)
                    report = client.get(MODEL).json()
                drift = report["drift"]
                self.check_drift(drift, rows[end - n:end])
                self.assertEqual((report["inputs"], report["distinct_inputs"]), (SENT, SENT))
        return drift

    def test_held_out_images(self):
        drift = self.check(support.Digits.get().images.rows(0, SENT))
        self.assertEqual((drift["state"], drift["mix_notice"]), ("ok", False))

    def test_spoilt_images(self):
        drift = self.check(spoilt(support.Digits.get().images.rows(0, SENT)))
        self.assertIn(drift["state"], ("warn", "alarm"))

    def test_huge_values_are_forgotten(self):
        """Of 20 inputs that were 1e20 times too large nothing is left once there are 300 others."""
        images = support.Digits.get().images.rows(0, SENT)
        few = images.rows(0, 20)
        rows = self.rows(images)
        for size, n in ((20, 300), (340, 340)):
            with support.Server("--max-batch", size) as server, server.client() as client:
                self.send(client, images, size)
                self.send(client, tensors.Tensor(few.shape, [v * 1e20 for v in few.values]), 20)
                self.assertEqual(self.drift(client)["state"], "alarm")
                self.send(client, images, size)
                drift = self.drift(client)
            self.check_drift(drift, rows[-n:])
            self.assertEqual(drift["state"], "ok")

    def test_one_nan_alarms_at_once(self):
        with support.Server() as server, server.client() as client:
            self.send(client, tensors.Tensor((1, 1, 8, 8), [float("nan")] + [0.0] * 63), 1)
            drift = self.drift(client)
            self.assertEqual((drift["state"], drift["score"], drift["n"]), ("alarm", None, 0))
            self.assertEqual(server.metrics().value("rectifier_activation_drift_state"), 2)
            self.send(client, support.Digits.get().images.rows(0, SENT), 20)
            self.assertEqual(self.drift(client)["state"], "ok")

    def test_novelty_of_single_inputs(self):
        images = spoilt(support.Digits.get().images.rows(0, 20))
        body = {"inputs": [{"name": "image", "shape": list(images.shape), "datatype": "FP32",
                            "data": images.values.tolist()}], "parameters": {"novelty": True}}
        with support.Server() as server, server.client() as client:
            got = client.post("/infer", body).json()["parameters"]["novelty"]
        self.close(got, [self.baseline.novelty(k, features) for k, features in self.rows(images)])

    def test_comparison_with_another_version(self):
        """All that the second has seen lately, against the first one's baseline."""
        images = spoilt(support.Digits.get().images.rows(0, SENT))
        with support.Server("--max-batch", 64) as server, server.client() as client:
            self.send(client, images, 64)
            report = client.get(MODEL + "/compare?versions=1,1").json()
        score, layers = self.baseline.scores(reference.Block.of(self.rows(images), len(self.baseline.classes)))
        drift = report["drift"]
        self.assertEqual((drift["n"], drift["baseline_n"], drift["why"]), (SENT, self.baseline.inputs, None))
        self.close([drift["score"], drift["input"], *(la["drift"] for la in report["layers"])], [score, *layers])

    def test_baseline_of_large_batches(self):
        """Twenty blocks of a batch each are the traffic."""
        images, rng, size = support.Digits.get().images, random.Random(6), 64
        known = self.rows(images)
        picked = [rng.randrange(images.shape[0]) for _ in range(20 * size)]
        sent = tensors.Tensor((len(picked), *images.shape[1:]), sum((list(images.row(i)) for i in picked), []))
        with support.Server("--max-batch", size) as server, server.client() as client:
            self.send(client, sent, size)
            self.assertEqual(client.post(MODEL + "/baseline", b"").json()["inputs"], 20 * size)
            got, _ = reference.Baseline.read(client.get(MODEL + "/baseline").body.decode())
            sub_window_max = client.get(MODEL + "/baseline").json()["sub_window_max"]
        blocks = [reference.Block.of([known[i] for i in picked[at:at + size]], 10)
                  for at in range(0, len(picked), size)]
        want = reference.Baseline(self.baseline.layers, blocks, 10, False)
        self.assertEqual(got.classes, want.classes)
        self.close(got.mean, want.mean)
        self.close(got.variance, want.variance)
        self.close(sum(got.class_mean, []), sum(want.class_mean, []))
        self.close(sum(got.error, []), sum(want.error, []))
        self.close([sub_window_max], [want.sub_window_max])
        self.assertGreater(sub_window_max, 0)


if __name__ == "__main__":
    unittest.main()
