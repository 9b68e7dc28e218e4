"""Memory of a network of large dense layers: while it is loaded and served, with --weights full and compact."""

import json
import unittest

import memory
import support

LAYERS, SIZE = 3, 2048  # matrices of 16 MiB
BYTES = LAYERS * SIZE * SIZE * 4


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if support.SANITIZER:
            raise unittest.SkipTest("a sanitizer keeps what is freed")
        cls.folder = support.Folder()
        cls.addClassCleanup(cls.folder.__exit__)
        layers = [layer for i in range(LAYERS)
                  for layer in ({"type": "linear", "name": f"fc{i}", "out_features": SIZE}, {"type": "relu"})]
        network = {"format": 1, "name": "big", "input": {"name": "x", "shape": [SIZE]}, "layers": layers}
        source = cls.folder.path / "init.json"
        source.write_text(json.dumps({**network, "init": {"scheme": "kaiming_normal", "seed": 1}}))
        cls.model = cls.folder.model("big", network)
        done = support.run("init", source, cls.model / "model.safetensors")
        assert done.returncode == 0, done.stderr

    def check(self, weights, most):
        resident, peak, _ = memory.served(self.model, "--weights", weights)
        packed = memory.inspected(self.model, "--weights", weights)["model_bytes"]
        self.assertLess(resident, most * BYTES + memory.PROGRAM)
        self.assertLess(peak, 2 * BYTES + packed + 64 * memory.MIB)
        self.assertGreater(resident, packed)  # less would mean that nothing was measured
        return packed

    def test_full(self):
        """The layers behind a ReLU are there twice, where panels are."""
        packed = self.check("full", 2)
        if "panel" in support.run("inspect", self.model).stdout:
            self.assertGreater(packed, (2 * LAYERS - 1) / LAYERS * BYTES)

    def test_compact(self):
        packed = self.check("compact", 1)
        self.assertLess(packed, 1.05 * BYTES)


if __name__ == "__main__":
    unittest.main()
