"""What a server says of drift is what its network's own activations give, by drift_reference.py, to 1e-6."""

import unittest

import drift_reference as reference
import support
import tensors

MODEL = "/v2/models/digits/activity"
SENT, WINDOW = 340, 300  # in requests of 20: the newest 300 count


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

    def served(self, images):
        """Drift of a fresh server after these images, 20 a request."""
        with support.Server() as server, server.client() as client:
            for i in range(0, SENT, 20):
                reply = client.post("/infer", images.rows(i, i + 20).tobytes(), support.RAW)
                self.assertEqual(reply.status, 200, reply)
            return client.get(MODEL).json()["drift"]

    def check(self, images):
        window = reference.Block.of(self.rows(images)[-WINDOW:], len(self.baseline.classes))
        score, layers = self.baseline.scores(window)
        drift = self.served(images)
        self.assertEqual(drift["n"], WINDOW)
        self.assertEqual([la["name"] for la in drift["layers"]], self.names)
        for got, want in zip([la["score"] for la in drift["layers"]] + [drift["score"]], layers + [score]):
            self.assertLessEqual(abs(got - want), 1e-6 * max(1, want))
        self.assertLessEqual(abs(drift["mix"] - self.baseline.mix(window)[0]), 1e-9)
        return drift

    def test_held_out_images(self):
        drift = self.check(support.Digits.get().images.rows(0, SENT))
        self.assertEqual((drift["state"], drift["mix_notice"]), ("ok", False))

    def test_spoilt_images(self):
        drift = self.check(spoilt(support.Digits.get().images.rows(0, SENT)))
        self.assertIn(drift["state"], ("warn", "alarm"))


if __name__ == "__main__":
    unittest.main()
