"""What goes wrong: with images before they are sent, with weights after a deploy, with who sends what."""

import numpy as np


def shifted(pixels):
    def shift(images, _):
        moved = np.zeros_like(images)
        moved[..., pixels:] = images[..., :-pixels]
        return moved
    return shift


def noisy(sigma):
    return lambda images, random: images + random.normal(0, sigma, images.shape)


IMAGES = {
    "unscaled, x16": lambda images, _: images * 16,
    "inverted": lambda images, _: 1 - images,
    "transposed": lambda images, _: images.swapaxes(2, 3),
    "shifted by 3 pixels": shifted(3),
    "shifted by 1 pixel": shifted(1),
    "pure noise": lambda images, random: random.random(images.shape),
    "noise of 0.3 added": noisy(0.3),
    "all zero": lambda images, _: np.zeros_like(images),
}


def dead_biases(network, state, random):
    bias = state[network.norm + ".bias"]
    bias[random.permutation(len(bias))[:round(0.3 * len(bias))]] = -100


def nan_weight(network, state, _):
    state[network.linear + ".weight"].view(-1)[0] = float("nan")


def lost_statistics(network, state, _):
    state[network.norm + ".running_mean"].zero_()
    state[network.norm + ".running_var"].fill_(1)


WEIGHTS = {
    "30 % of a layer's biases at -100": dead_biases,
    "one weight NaN": nan_weight,
    "a BatchNorm's statistics lost": lost_statistics,
}


def benford(labels):
    """Digits as first digits are: no 0, 30 % 1, 5 % 9."""
    return np.array([0] + [np.log10(1 + 1 / k) for k in range(1, 10)])[labels] / np.bincount(labels)[labels]


def one_class(digit):
    return lambda labels: (labels == digit).astype(float)


MIXES = {"classes as Benford has them": benford, "one class only": one_class(3)}
