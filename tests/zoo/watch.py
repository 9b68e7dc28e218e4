"""Counts what PyTorch's activations do, in order of execution, whether modules or functions call them."""

import contextlib
import copy

import torch
import torch.nn.functional as F

# name in torch.nn.functional -> (type in the engine's activity report, thresholds at which a count changes)
WATCHED = {
    "relu": ("Relu", (0.0,)),
    "relu6": ("Clip", (0.0,)),
    "hardtanh": ("Clip", (0.0,)),
    "leaky_relu": ("LeakyRelu", (0.0,)),
    "hardswish": ("HardSwish", (0.0, -3.0)),
    "silu": ("Silu", (0.0,)),
    "gelu": ("Gelu", (0.0,)),
    "mish": ("Mish", (0.0,)),
}
# In float32, PyTorch's 1 + erf(x / sqrt 2) is 0 from x = -5.6 down, where GELU is not: zeros are counted in float64.
CANCELLING = ("Gelu",)
# So many times what PyTorch's float32 is off in a layer: as near as that to a threshold, either side may be right.
ROUNDING = 4


def record(kind, thresholds, before, after):
    return {"type": kind, "thresholds": thresholds, "before": before, "values": after.numel(),
            "zeros": int((after == 0).sum()), "inactive": int((before <= 0).sum())}


@contextlib.contextmanager
def watching():
    """Yields the list that fills with one record a call."""
    records, originals = [], {}

    def watched(function, kind, thresholds):
        def call(x, *args, **kwargs):
            before = x.clone()  # the call may work in place
            with paused(originals):  # some of these call each other
                after = function(x, *args, **kwargs)
                exact = function(before.double(), *args, **kwargs) if kind in CANCELLING else after
            records.append(record(kind, thresholds, before, exact))
            return after
        return call

    replacements = {}
    for name, (kind, thresholds) in WATCHED.items():
        originals[name] = getattr(F, name)
        replacements[name] = watched(originals[name], kind, thresholds)

    @contextlib.contextmanager
    def paused(functions):
        for name, function in functions.items():
            setattr(F, name, function)
        try:
            yield
        finally:
            for name, function in replacements.items():
                setattr(F, name, function)

    with torch.no_grad():
        for name, function in replacements.items():
            setattr(F, name, function)
        try:
            yield records
        finally:
            for name, function in originals.items():
                setattr(F, name, function)


def layers_of(net, x):
    """The output in float32, and the records of float64, which decide what a layer should count, and of float32, as
    everyone runs it. `reach` is how near to a threshold is too near to tell, `near` how many values are."""
    with watching() as own:
        y = net(x)
    with watching() as exact:
        copy.deepcopy(net).double()(x.double())
    for layer, rounded in zip(exact, own):
        before = layer["before"]
        layer["reach"] = ROUNDING * float((before - rounded["before"]).abs().max())
        layer["near"] = sum(int(((before - t).abs() <= layer["reach"]).sum()) for t in layer["thresholds"])
    return y, exact, own
