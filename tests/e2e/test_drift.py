"""Baselines, drift, novelty and class mix agree with a computation of their definitions to 1e-6."""

import json
import random
import subprocess
import unittest

import drift_reference as reference
from support import BUILD, SLOWNESS

TOLERANCE = 1e-6
STATES = ("ok", "warn", "alarm")


def numbers(values):
    return " ".join(repr(v) for v in values)


def block_text(block):
    return f"{block.inputs} {block.nonfinite} {numbers(block.classes)} {numbers(block.sums)}"


def compute(sizes, n_classes, plain, blocks, windows, inputs):
    """What core makes of them."""
    lines = [f"{n_classes} {len(sizes)} " + " ".join(f"{c} {v}" for c, v in sizes),
             f"{int(plain)} {len(blocks)}", *map(block_text, blocks),
             str(len(windows)), *map(block_text, windows),
             str(len(inputs)), *(f"{k} {numbers(f)}" for k, f in inputs)]
    done = subprocess.run([BUILD / "tests" / "support" / "make_drift"], input="\n".join(lines).encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * SLOWNESS)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return json.loads(done.stdout)


class Traffic:
    """Inputs whose features depend on their class, some never change, some are far from 0."""

    def __init__(self, seed, n_features, n_classes):
        self.random = random.Random(seed)
        self.n_classes = n_classes
        uniform = self.random.uniform
        self.scale = [self.random.choice([0.0, 0.05, 0.3, 2.0]) for _ in range(n_features)]
        self.center = [[uniform(-1, 1) + (1000.0 if f % 7 == 3 else 0.0) for f in range(n_features)]]
        self.center += [[c + uniform(-1, 1) * s for c, s in zip(self.center[0], self.scale)]
                        for _ in range(n_classes)]

    def row(self, shift=0.0, classes=None):
        k = self.random.choice(classes or range(self.n_classes)) if self.n_classes else -1
        gauss = self.random.gauss
        return k, [c + gauss(shift, 1) * s if s else c for c, s in zip(self.center[k + 1], self.scale)]

    def rows(self, n, **how):
        return [self.row(**how) for _ in range(n)]


class Drift(unittest.TestCase):
    """One case is a network's sizes, its traffic, and a baseline of blocks of some size."""

    def close(self, got, want, what):
        for i, (a, b) in enumerate(zip(got, want)):
            self.assertLessEqual(abs(a - b), TOLERANCE * max(1, abs(b)), f"{what}[{i}]: {a}, not {b}")
        self.assertEqual(len(got), len(want), what)

    def case(self, seed, sizes, n_classes, plain, inputs, block):
        layers, n_features = reference.layers_of(sizes)
        traffic = Traffic(seed, n_features, n_classes)
        blocks = [reference.Block.of(traffic.rows(block), n_classes) for _ in range(inputs // block)]
        windows = [reference.Block.of(traffic.rows(n, **how), n_classes)
                   for n, how in ((300, {}), (250, {"shift": 0.4}), (300, {"classes": [0]}),
                                  (1, {}), (300, {"shift": 3.0}))]
        if n_classes:
            windows.append(reference.Block(300, [0] * n_classes, windows[0].sums))
        single = traffic.rows(3) + traffic.rows(2, shift=2.0) + [(-1, traffic.row()[1])]
        got = compute(sizes, n_classes, plain, blocks, windows, single)
        self.check(reference.Baseline(layers, blocks, n_classes, plain), got, windows, single)

    def check(self, want, got, windows, single):
        self.assertEqual(got["inputs"], want.inputs)
        self.close(got["mean"], want.mean, "mean")
        self.close(got["variance"], want.variance, "variance")
        self.assertEqual("class_mean" in got, want.by_class)
        if want.by_class:
            self.close(got["class_mean"], sum(want.class_mean, []), "class_mean")
            self.close(got["class_error"], sum(want.error, []), "class_error")
        self.close([got["sub_window_max"]], [want.sub_window_max], "sub_window_max")
        self.assertEqual(len(got["windows"]), len(windows))
        for i, (seen, window) in enumerate(zip(got["windows"], windows)):
            score, layers = want.scores(window)
            self.close([seen["score"]], [score], f"window {i}: score")
            self.close(seen["layers"], layers, f"window {i}: layers")
            psi, p = want.mix(window)
            self.close([seen["psi"]], [psi], f"window {i}: psi")
            self.assertLessEqual(abs(seen["p"] - p), 1e-9 + 1e-6 * p, f"window {i}: p")
            self.assertEqual(seen["mix"], psi > 0.25 and p < 1e-6)
            self.assertIn(seen["state"], STATES)
        self.close(got["novelty"], [want.novelty(k, f) for k, f in single], "novelty")

    def test_single_inputs_of_classes(self):
        self.case(1, [(1, 3), (16, 2), (5, 2)], 10, False, 600, 1)

    def test_single_inputs_of_many_classes(self):
        self.case(2, [(3, 3), (8, 2)], 64, False, 400, 1)

    def test_plain_though_there_are_classes(self):
        self.case(3, [(1, 3), (16, 2)], 10, True, 600, 1)

    def test_without_classes(self):
        self.case(4, [(70, 2), (130, 2)], 0, False, 300, 1)

    def test_blocks_of_classes(self):
        self.case(5, [(1, 3), (16, 2), (5, 2)], 10, False, 1200, 20)

    def test_large_blocks_of_two_classes(self):
        self.case(6, [(4, 2)], 2, False, 8000, 400)

    def test_few_inputs(self):
        self.case(7, [(1, 3), (6, 2)], 3, False, 200, 1)

    def test_what_is_too_little_is_refused(self):
        for inputs, block in ((199, 1), (380, 20)):
            with self.assertRaisesRegex(AssertionError, f"at least 200 inputs in 20 blocks; there are {inputs} in "
                                                        f"{inputs // block}"):
                self.case(8, [(2, 2)], 2, False, inputs, block)


if __name__ == "__main__":
    unittest.main()
