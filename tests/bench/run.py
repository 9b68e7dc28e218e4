#!/usr/bin/env python3
"""Measures Rectifier beside other engines, turn by turn on the same networks and inputs.

    python3 tests/bench/run.py [BUILD] [--nets A,B] [--batch 1,8] [--threads 1,2] [--seconds N]
                                [--no-avx2] [--lock FILE]

Every row of what it prints starts with a comparison of the outputs; an engine that answers anything else is
not measured, and the exit code is 1. All numbers go to build/bench/results.json. Needs the standard library
only; `make bench` installs and builds the rest. README.md says how it measures.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import sys
import time

import engines
import networks
import results

# What is measured together; the first is divided by each of the others.
COMPARISONS = {"engines": ("rectifier", "onnxruntime", "pytorch"), "avx2": ("rectifier-avx2", "openblas-avx2")}
CALL = "identity"  # the network that does nothing: what a call costs
SERVED = "digits"  # serve.py's: too small to be measured without a server
SLICE = 0.1        # seconds of one engine's turn
LEAST_ROUNDS = 5
OF_SCALE = 1e-4    # outputs may differ by this much of the largest one


def difference(got, want):
    """The largest difference, as a share of the largest value."""
    if len(got) != len(want):
        return float("inf")
    scale = max(map(abs, want)) or 1.0
    return max(abs(a - b) if a == a else float("inf") for a, b in zip(got, want)) / scale


def measure(running, batch, seconds):
    """name -> times, one a round; the engines take turns, another one first in each round."""
    rounds = {name: [] for name in running}
    order = list(running)
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(rounds[order[0]]) < LEAST_ROUNDS:
        for name in order:
            rounds[name].append(running[name].time(batch, SLICE))
        order.append(order.pop(0))  # everyone follows everyone
    return rounds


def ratios(rounds, calls):
    """name -> the first engine's times divided by its, round by round; `calls`: what is not to count."""
    first, *others = rounds
    net = {name: [ms - calls.get(name, 0) for ms in times] for name, times in rounds.items()}
    return {name: results.spread([a / b for a, b in zip(net[first], net[name]) if b > 0] or [float("nan")])
            for name in others}


def row(running, batch, seconds, calls):
    """One row of results, without what identifies it."""
    outputs = {name: engine.run(batch) for name, engine in running.items()}
    ours, *others = running
    errors = {name: difference(outputs[ours], outputs[name]) for name in others}
    if not all(error <= OF_SCALE for error in errors.values()):
        return {"errors": errors, "wrong": True}
    rounds = measure(running, batch, seconds)
    return {"errors": errors, "rounds": len(rounds[ours]),
            "ms": {name: results.spread(ms) for name, ms in rounds.items()},
            "ratios": ratios(rounds, {}), "without_call": ratios(rounds, calls)}


def show(found):
    words = [f"{found['network']:14} b{found['batch']} t{found['threads']}"]
    if found.get("wrong"):
        return print(words[0], "DIFFERENT OUTPUTS", found["errors"], flush=True)
    for name, ms in found["ms"].items():
        words.append(f"{name} {ms['median']:.4g} ms")
        if name in found["ratios"]:
            ratio = found["ratios"][name]
            words.append(f"{ratio['median']:.3f} ({ratio['p10']:.3f}..{ratio['p90']:.3f})")
            without = found["without_call"][name]["median"]
            words += [f"without calls {without:.3f}"] if abs(without - ratio["median"]) > 0.005 else []
    return print("  ".join(words), flush=True)


class Bench:
    def __init__(self, args):
        self.args, self.kinds = args, engines.kinds(args.build.resolve())
        self.rows, self.starts, self.about, self.calls = [], [], {}, {}

    def network(self, comparison, name, threads, batches):
        """All rows of one network at one number of threads."""
        present = [kind for kind in COMPARISONS[comparison] if kind in self.kinds]
        for kind in present:
            engines.model_of(self.kinds[kind], name)
        with results.turn(self.args.lock), contextlib.ExitStack() as stack:
            running = {}
            for kind in present:
                running[kind] = stack.enter_context(engines.Engine(self.kinds[kind], name, threads))
                self.about.setdefault(kind, running[kind].about)
            self.starts.append({
                "comparison": comparison, "network": name, "threads": threads,
                **{what: {kind: getattr(engine, what) for kind, engine in running.items()}
                   for what in ("load_ms", "start_ms", "resident_mb")}})
            for batch in batches:
                found = row(running, batch, self.args.seconds, self.calls.get((comparison, threads), {}))
                if name == CALL:
                    self.calls[comparison, threads] = {kind: ms["median"] for kind, ms in found.get("ms", {}).items()}
                self.rows.append({"comparison": comparison, "network": name, "batch": batch, "threads": threads,
                                  **found})
                show(self.rows[-1])
            if comparison == "engines" and "gflops" not in self.about["rectifier"]:
                self.about["rectifier"].update(running["rectifier"].ask("peak"))

    def run(self):
        for name in (CALL, *self.args.nets):
            networks.write(name, engines.FOLDER, max(self.args.batch))
            for threads in self.args.threads:
                self.network("engines", name, threads, [1] if name == CALL else self.args.batch)
        for name in self.args.nets if self.args.avx2 and "rectifier-avx2" in self.kinds else []:
            self.network("avx2", name, 1, self.args.batch)

    def results(self):
        return {"date": datetime.date.today().isoformat(), "command": self.args.command, "machine": results.machine(),
                "engines": self.about, "rows": self.rows, "starts": self.starts}


def head(bench):
    print(f"machine: {json.dumps(results.machine())}")
    absent = [name for name in COMPARISONS["engines"] if name not in bench.kinds]
    print(f"absent: {', '.join(absent)}" if absent else "all engines are there")
    print("ms a run; ratio of the first engine's time to the other's: median of the rounds (p10..p90)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", default=engines.ROOT / "build", type=pathlib.Path)
    everything = [name for name in networks.NETWORKS if name not in (CALL, SERVED)]
    parser.add_argument("--nets", default=everything, type=results.words, metavar="NET,...",
                        help=f"of {' '.join(everything)}")
    parser.add_argument("--batch", default=[1, 8], type=results.numbers)
    parser.add_argument("--threads", default=[1, 2], type=results.numbers)
    parser.add_argument("--seconds", default=6.0, type=float, help="a row")
    parser.add_argument("--no-avx2", dest="avx2", action="store_false",
                        help="without panels beside OpenBLAS")
    parser.add_argument("--lock", metavar="FILE", help="take turns with whoever locks this file, network by network")
    args = parser.parse_args()
    args.command = results.command("make bench", parser, args, ("nets", "batch", "threads", "seconds"))
    unknown = [name for name in args.nets if name not in everything]
    if unknown:
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(everything)}")
    engines.FOLDER.mkdir(parents=True, exist_ok=True)
    bench = Bench(args)
    head(bench)
    try:
        bench.run()
    finally:
        path = engines.FOLDER / "results.json"
        path.write_text(results.as_json(bench.results()), encoding="utf-8")
        print(f"kept in {path.relative_to(engines.ROOT)}")
    return 1 if any(found.get("wrong") for found in bench.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
