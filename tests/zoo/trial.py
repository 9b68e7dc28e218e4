"""One comparison: a model file and an input, through the real binary, against what PyTorch gave."""

import collections
import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile

import numpy as np

OUTPUT_TOLERANCE = 1e-4  # of the largest expected output
SHARE_TOLERANCE = 1e-5   # of a layer's values
TIMEOUT = 300
COUNTED = ("zeros", "inactive")


@dataclasses.dataclass
class Reference:
    """PyTorch's answer to an input."""
    x: np.ndarray
    outputs: list
    layers: list  # watch.layers_of: of float64
    own: list     # and of float32


@dataclasses.dataclass
class Outcome:
    error: float = float("nan")  # of the outputs, relative to their scale
    share: float = float("nan")  # the worst difference of a layer's share
    layers: int = 0
    near: int = 0                # layers that only agree but for pre-activations next to 0
    own_near: int = 0            # the same of PyTorch's float32
    used: float = 0.0            # the largest part of a layer's pre-activations next to 0 that this took
    wrong: list = dataclasses.field(default_factory=list)


def run(binary, model, x, out):
    np.save(out / "input.npy", x)
    env = {k: v for k, v in os.environ.items() if not k.startswith("RECTIFIER_")}
    return subprocess.run([str(binary), "infer", str(model), str(out / "input.npy"), "-o", str(out),
                           "--activity"], env=env, timeout=TIMEOUT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def compare_outputs(outcome, names, outputs, out):
    outcome.error = 0.0
    for name, want in zip(names, outputs):
        got = np.load(out / f"{name.replace('/', '_')}.npy")
        if got.shape != want.shape or got.dtype != want.dtype:
            outcome.wrong.append(f"{name} is {got.dtype} {got.shape}, expected {want.dtype} {want.shape}")
            continue
        scale = float(np.abs(want).max())
        error = float(np.abs(got.astype(np.float64) - want).max()) / scale
        outcome.error = max(outcome.error, error)
        if not error <= OUTPUT_TOLERANCE:
            outcome.wrong.append(f"{name} is off by {error:.2g} of its scale {scale:.3g}")


def differences(got, want):
    """(what is counted, by how many values it differs), of what the engine counts"""
    return {what: abs(got[what] - want[what]) for what in COUNTED if what in got}


def is_near(off, want):
    return any(values > SHARE_TOLERANCE * want["values"] for values in off.values())


def compare_layer(outcome, got, want, own):
    if got["type"] != want["type"] or got["values"] != want["values"]:
        outcome.wrong.append(f"layer {got['name']}: {got['type']} of {got['values']} values, "
                             f"expected {want['type']} of {want['values']}")
        return
    off = differences(got, want)
    outcome.share = max(outcome.share, *(values / want["values"] for values in off.values()))
    outcome.own_near += is_near(differences({what: own[what] for what in off}, want), want)
    if not is_near(off, want):
        return
    outcome.near += 1
    outcome.used = max(outcome.used, max(off.values()) / max(want["near"], 1))
    outcome.wrong += [f"layer {got['name']}: {got[what]} {what} of {got['values']}, expected {want[what]}, and "
                      f"{want['near']} are too near to tell" for what, values in off.items() if values > want["near"]]


def compare_layers(outcome, got, reference):
    """Layer by layer in order of execution; a module that is used twice is two layers on both sides."""
    want = reference.layers
    outcome.layers, outcome.share = len(want), 0.0
    if len(got) != len(want):
        have, need = (collections.Counter(layer["type"] for layer in side) for side in (got, want))
        outcome.wrong.append(f"{len(got)} activity layers {dict(have)}, expected {len(want)} {dict(need)}")
        return
    for a, b, own in zip(got, want, reference.own):
        compare_layer(outcome, a, b, own)


def compare(binary, model, names, reference):
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        try:
            done = run(binary, model, reference.x, out)
        except subprocess.TimeoutExpired:
            outcome.wrong.append(f"no end after {TIMEOUT} s")
            return outcome
        if done.returncode:
            outcome.wrong.append(f"exit code {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()}")
            return outcome
        compare_outputs(outcome, names, reference.outputs, out)
        compare_layers(outcome, json.loads(done.stdout)["layers"], reference)
    return outcome
