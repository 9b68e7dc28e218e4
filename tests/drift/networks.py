"""The digits networks, trained by the bundled network's recipe with a seed, on a third of the images."""

import importlib.util
import pathlib

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[2]
EPOCHS = 40  # of a third of the images
TRAIN, BASELINE = 600, 600  # the rest is live traffic


def load_recipe():
    path = ROOT / "deploy" / "models" / "digits" / "train.py"
    spec = importlib.util.spec_from_file_location("digits_recipe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recipe = load_recipe()


def build_mlp():
    layers, size = [nn.Flatten()], 64
    for width in (128, 64, 32):
        layers += [nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU()]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, 10))


MLP_JSON = """\
{"format": 1, "name": "digits", "input": {"name": "image", "shape": [1, 8, 8]},
 "layers": [{"type": "flatten"},
  {"type": "linear", "out_features": 128}, {"type": "batchnorm1d"}, {"type": "relu"},
  {"type": "linear", "out_features": 64}, {"type": "batchnorm1d"}, {"type": "relu"},
  {"type": "linear", "out_features": 32}, {"type": "batchnorm1d"}, {"type": "relu"},
  {"type": "linear", "out_features": 10}, {"type": "softmax", "dim": 1}],
 "output": {"name": "probabilities"}}
"""

# kind -> (how it is built, its description, the BatchNorm and the linear map that faults are put into)
KINDS = {"CNN": (recipe.build_network, recipe.MODEL_JSON, "features.4", "features.3"),
         "MLP": (build_mlp, MLP_JSON, "5", "4")}


class Network:
    """A trained network in a folder of its own, and images that it never saw."""

    def __init__(self, kind, seed, folder):
        build, description, self.norm, self.linear = KINDS[kind]
        images, labels = self._images()
        order = np.random.default_rng(seed).permutation(len(images))
        train, baseline, live = np.split(order, [TRAIN, TRAIN + BASELINE])
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        net = build()
        recipe.train(net, torch.from_numpy(images[train]), torch.from_numpy(labels[train]), epochs=EPOCHS)
        self.folder = folder
        self.state = net.state_dict()
        self.baseline, self.live, self.labels = images[baseline], images[live], labels[live]
        self.accuracy = recipe.accuracy(net, torch.from_numpy(self.live), torch.from_numpy(self.labels))
        (folder / "model.json").write_text(description, encoding="utf-8")
        self.write_weights(self.state)

    @staticmethod
    def _images():
        digits = load_digits()
        return (digits.images / 16.0).astype(np.float32)[:, None], digits.target.astype(np.int64)

    def write_weights(self, state):
        """In one step: a server may be looking."""
        fresh = self.folder / "fresh"
        recipe.save_safetensors(state, fresh)
        fresh.rename(self.folder / "model.safetensors")
