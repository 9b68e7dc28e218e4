#!/usr/bin/python3
"""Counts again what served networks' replies say that their activations gave, and compares with PyTorch.

    /usr/bin/python3 tests/zoo/recount.py [BUILD] [--filter TEXT] [--write]

On every instruction set, by either backend, one and two threads: a request of one row, one of seven, and eight of
one row that share runs. One line a server; the last line is `N passed, N failed`. --write puts the rows of what ran
into README.md's table.
"""

import argparse
import collections
import importlib.util
import os
import pathlib
import sys
import tempfile

import numpy as np
import torch

import export
import networks
import table
import watch

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("RECTIFIER_TEST_SLOWNESS", "10")  # nothing here is judged by the clock
sys.path.append(str(ROOT / "tests" / "e2e"))
import answering  # these find the binary when they are imported
import support

DIGITS = ROOT / "deploy" / "models" / "digits"
NETWORKS = ("Digits", "ResNet-18", "VGG-11-BN", "DenseNet-121")
OPSET = 13
ROWS = (1, 7)
FULL = 4  # rows of a run
SHARED = ("--max-batch", str(FULL), "--max-delay", "10s")  # one thread waits until a run is full
MOMENTS = 1e-5  # of the root of the mean square
SHARE = 1e-5    # of a layer's values
SMALL = ("--activity-min-inputs", "1")  # a verdict, and dead channels, from the first input on


def digits():
    """The bundled network, up to its logits, and all of its test images."""
    spec = importlib.util.spec_from_file_location("train", DIGITS / "train.py")
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    net = train.build_network()
    net.load_state_dict(train.load_safetensors(DIGITS / "model.safetensors"))
    return net.eval(), torch.from_numpy(np.load(DIGITS / "test_images.npy"))


class Case:
    """A network, its files, and what PyTorch makes of each batch."""

    def __init__(self, name, folder):
        if name == "Digits":
            net, split = digits()
            batches = [split[:1], split[-7:], split]
        else:
            net, size = networks.build(name)
            batches = [networks.images(name, rows, size, size) for rows in ROWS]
        self.name, self.plain, self.answering = name, folder / "plain.onnx", folder / "answering.onnx"
        export.export(net, batches[1], self.plain, OPSET, {0: "batch"})
        self.outputs = answering.write(self.plain, self.answering)
        self.batches, self.exact, self.own = [x.numpy() for x in batches], [], []
        for x in batches:
            _, exact, own = watch.layers_of(net, x)
            self.exact.append(exact)
            self.own.append(own)

    def requests(self):
        """(what to call them, rows of each request, server's arguments, PyTorch's layers)"""
        for x, exact in zip(self.batches, self.exact):
            yield f"batch {len(x)}", [x], (), exact
        rows = [row[None] for x in self.batches[:2] for row in x]
        yield f"{len(rows)} clients", rows, SHARED, [joined(*pair) for pair in zip(*self.exact[:2])]


def joined(a, b):
    """One layer over the rows of two batches."""
    return {**a, "before": torch.cat([a["before"], b["before"]]), "zeros": a["zeros"] + b["zeros"],
            "values": a["values"] + b["values"], "reach": max(a["reach"], b["reach"])}


def unlike(layer, y):
    """The fields of a layer in which it is not what its outputs y are."""
    fired, pixels = (y > 0).any(axis=0), tuple(d for d in range(y.ndim) if d != 1)
    dead = np.flatnonzero(~fired.reshape(len(fired), -1).any(axis=1))
    want = {"values": y.size, "zeros": int((y == 0).sum()), "nonfinite": int((~np.isfinite(y)).sum())}
    wrong = [key for key, value in want.items() if layer[key] != value]
    if layer["per_channel"]["zeros"] != (y == 0).sum(axis=pixels).tolist():
        wrong.append("zeros of channels")
    if layer["channels"]["dead_indices"] != dead.tolist():
        wrong.append("dead channels")
    if layer["units"] != {"total": fired.size, "dead": int((~fired).sum())}:
        wrong.append("units")
    scale = float(np.sqrt(np.square(y, dtype=np.float64).mean()))
    moments = {"mean": y.mean(dtype=np.float64), "std": y.std(dtype=np.float64), "max": y.max()}
    return wrong + [key for key, value in moments.items() if not abs(layer[key] - value) <= MOMENTS * scale]


class Agreement:
    """With PyTorch's float64, over all layers of some runs."""

    def __init__(self):
        self.runs = self.layers = self.near = self.values = self.other = 0
        self.share = self.distance = 0.0

    def add(self, zero, want):
        """A layer's values that are zero. Gives what is wrong, or None: each that PyTorch has on the other side of 0
        must be within reach of it there."""
        before = want["before"].numpy()
        other = np.abs(before[zero != (before <= 0)])
        share = abs(int(zero.sum()) - want["zeros"]) / want["values"]
        distance = float(other.max(initial=0)) / max(want["reach"] / watch.ROUNDING, 1e-300)
        self.layers += 1
        self.near += share > SHARE
        self.values += want["values"]
        self.other += len(other)
        self.share, self.distance = max(self.share, share), max(self.distance, distance)
        return f"{len(other)} values up to {distance:.2g} away" if distance > watch.ROUNDING else None

    def merge(self, other):
        for key in ("runs", "layers", "near", "values", "other"):
            setattr(self, key, getattr(self, key) + getattr(other, key))
        self.share, self.distance = max(self.share, other.share), max(self.distance, other.distance)

    def cells(self):
        return (self.runs, f"{self.share:.1e}", f"{self.near} of {self.layers}",
                f"{1e6 * self.other / self.values:.2f}", f"{self.distance:.1f}")


class Tally:
    def __init__(self):
        self.passed = self.failed = 0
        self.rows = collections.defaultdict(Agreement)  # (network, by whom)

    def add(self, network, who, what, problems, agreement):
        agreement.runs = 1
        self.rows[network, who].merge(agreement)
        self.passed += not problems
        self.failed += bool(problems)
        _, share, near, other, distance = agreement.cells()
        print(f"{network:13} {what:46} {share:>8} {near:>10} {other:>6} {distance:>5}  {'FAIL' if problems else 'ok'}",
              flush=True)
        for problem in problems[:5]:
            print(f"    {problem}")

    def markdown(self):
        for (network, who), agreement in self.rows.items():
            yield "| " + " | ".join(map(str, (network, who, *agreement.cells()))) + " |"


def judge(layers, ys, exact):
    """(problems, agreement) of a server's layers, of which ys are the outputs."""
    agreement, problems = Agreement(), []
    if len(layers) != len(exact):
        return [f"{len(layers)} layers, expected {len(exact)}"], agreement
    for layer, y, want in zip(layers, ys, exact):
        wrong = unlike(layer, y)
        far = agreement.add(y == 0, want)
        wrong += [far] if far else []
        problems += [f"{layer['name']}: {', '.join(wrong)}"] if wrong else []
    return problems, agreement


def ways():
    """(instruction set, backend, environment) of all that this CPU has."""
    for isa, needs in support.NEEDS.items():
        if needs <= support.cpu_flags():
            for gemm in ("openblas",) if isa == "base" else ("auto", "openblas"):
                yield isa, gemm, support.environment({
                    "RECTIFIER_ISA": isa, "OPENBLAS_CORETYPE": support.BLAS_CORE[isa], "RECTIFIER_GEMM": gemm})


def recount(binary, tally, case):
    for x, exact, own in zip(case.batches, case.exact, case.own):
        agreement, what = Agreement(), f"PyTorch's float32, batch {len(x)}"
        for rounded, want in zip(own, exact):
            agreement.add((rounded["before"] <= 0).numpy(), want)
        tally.add(case.name, "PyTorch, float32", what, [], agreement)
    for isa, gemm, env in ways():
        who = "OpenBLAS" if gemm == "openblas" else "panels, Winograd"
        for threads in ("1", "2"):
            for what, rows, args, exact in case.requests():
                args = ("--threads", threads, *args, *SMALL)
                outputs, layers, runs = answering.serve(binary, case.answering, rows, env, *args)
                ys = [outputs[case.outputs[layer["name"]]] for layer in layers]
                problems, agreement = judge(layers, ys, exact)
                if threads == "1" and len(rows) > 1 and runs != len(rows) // FULL:
                    problems.append(f"{runs:.0f} runs")
                what = f"{isa} {gemm}, {threads} threads, {what}"
                tally.add(case.name, who, what, problems, agreement)
                if gemm == "auto" and len(rows) > 1:  # the same bits in any batch, so of a network as it is, too
                    _, layers, _ = answering.serve(binary, case.plain, rows, env, *args)
                    problems, agreement = judge(layers, ys, exact)
                    tally.add(case.name, who, what + ", plain", problems, agreement)


def main():
    parser = argparse.ArgumentParser(description="Counts activations again.")
    parser.add_argument("build", nargs="?", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--filter", default="", help="only networks whose name has this text")
    parser.add_argument("--write", action="store_true", help="write what ran into README.md's table")
    args = parser.parse_args()
    tally = Tally()
    print(f"{'network':13} {'server':46} {'share':>8} {'near':>10} {'other':>6} {'away':>5}")
    for name in NETWORKS:
        if args.filter in name:
            with tempfile.TemporaryDirectory() as folder:
                recount((args.build / "rectifier").resolve(), tally, Case(name, pathlib.Path(folder)))
    if args.write:
        table.write("recount", tally.markdown(), NETWORKS)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
