#!/usr/bin/python3
"""Exports torchvision's networks and compares what the real binary makes of them with PyTorch.

    /usr/bin/python3 tests/zoo/run.py [BUILD] [--filter TEXT] [--opsets 11,13,17] [--write]

Needs Debian's python3-torch, python3-torchvision and python3-onnx. One line a comparison; the last line is
`N passed, N failed`. --write puts the rows of what ran into README.md's table.
"""

import argparse
import collections
import math
import os
import pathlib
import shutil
import sys

import torch

import export
import forms
import networks
import table
import trial

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "zoo" / str(os.getpid())
OPSETS = (11, 13, 17)
FIXED_ROWS = {11: 1, 13: 2, 17: 1}  # of the file with a fixed batch
ROWS = (1, 2)
HEAD = f"{'network':44} {'opset':>5} {'batch':11} {'error':>8} {'share':>8} {'layers':>6} {'near':>4} " \
       f"{'PyTorch':>7} {'used':>5}"


class Outcomes:
    def __init__(self):
        self.rows = collections.defaultdict(list)  # network -> (opset, outcome)
        self.passed = self.failed = 0
        print(HEAD)

    def add(self, network, opset, batch, outcome):
        self.rows[network].append((opset, outcome))
        self.passed += not outcome.wrong
        self.failed += bool(outcome.wrong)
        print(f"{network:44} {opset:5} {batch:11} {outcome.error:8.1e} {outcome.share:8.1e} {outcome.layers:6} "
              f"{outcome.near:4} {outcome.own_near:7} {outcome.used:5.0%}  {'FAIL' if outcome.wrong else 'ok'}",
              flush=True)
        for text in outcome.wrong[:5]:
            print(f"    {text}")

    def markdown(self):
        for network, rows in self.rows.items():
            outcomes = [outcome for _, outcome in rows]
            opsets = " ".join(map(str, sorted({opset for opset, _ in rows})))
            failed = sum(bool(o.wrong) for o in outcomes)
            cells = (network, opsets, f"{len(outcomes)}, {failed} failed" if failed else len(outcomes),
                     f"{worst(o.error for o in outcomes):.1e}", f"{worst(o.share for o in outcomes):.1e}",
                     outcomes[0].layers, sum(o.near for o in outcomes), sum(o.own_near for o in outcomes),
                     f"{worst(o.used for o in outcomes):.0%}")
            yield "| " + " | ".join(map(str, cells)) + " |"


def worst(numbers):
    return max((n for n in numbers if not math.isnan(n)), default=math.nan)


def clean():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)


def run_network(binary, found, name, opsets):
    net, size = networks.build(name)
    inputs = {rows: networks.images(name, rows, size, size) for rows in ROWS}
    references = {rows: forms.answer(net, x) for rows, x in inputs.items()}
    for opset in opsets:
        for dynamic in (False, True):
            clean()
            path = FOLDER / "model.onnx"
            all_rows = ROWS if dynamic else (FIXED_ROWS[opset],)
            export.export(net, inputs[all_rows[-1]], path, opset, {0: "batch"} if dynamic else None)
            for rows in all_rows:
                outcome = trial.compare(binary, path, ["output"], references[rows])
                found.add(name, opset, f"{'dynamic' if dynamic else 'fixed'} {rows}", outcome)


def run_forms(binary, found, wanted, opsets):
    clean()
    for label, opset, make in forms.forms(FOLDER):
        if wanted not in label or (opsets and opset not in opsets):
            continue
        clean()
        path, names, references = make()
        for reference in references:
            batch = "x".join(map(str, reference.x.shape[:1] + reference.x.shape[2:]))
            found.add(label, opset, batch, trial.compare(binary, path, names, reference))


def main():
    parser = argparse.ArgumentParser(description="Compares torchvision's networks with PyTorch.")
    parser.add_argument("build", nargs="?", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--filter", default="", help="only networks whose name has this text")
    parser.add_argument("--opsets", default="", help="only these, separated by commas")
    parser.add_argument("--write", action="store_true", help="write what ran into README.md's table")
    args = parser.parse_args()
    opsets = [int(opset) for opset in args.opsets.split(",") if opset]
    binary = (args.build / "rectifier").resolve()
    torch.use_deterministic_algorithms(True)
    outcomes = Outcomes()
    for name in networks.NETWORKS:
        if args.filter in name:
            run_network(binary, outcomes, name, [o for o in OPSETS if not opsets or o in opsets])
    run_forms(binary, outcomes, args.filter, opsets)
    shutil.rmtree(FOLDER, ignore_errors=True)
    if args.write:
        table.write("table", outcomes.markdown(), networks.NETWORKS)
    print(f"{outcomes.passed} passed, {outcomes.failed} failed")
    return 1 if outcomes.failed or not outcomes.passed else 0


if __name__ == "__main__":
    sys.exit(main())
