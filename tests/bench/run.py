#!/usr/bin/env python3
"""Measures Rectifier beside other engines, turn by turn on the same networks and inputs.

    python3 tests/bench/run.py [BUILD] [--nets A,B] [--batch 1,8] [--threads 1,2] [--seconds N] [--lock FILE]

Every row of what it prints starts with a comparison of the outputs; an engine that answers anything else is
not measured, and the exit code is 1. All numbers go to build/bench/results.json. Needs the standard library
only; `make bench` installs and builds the rest. README.md says how it measures.
"""

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import time

import engines
import networks

# What is measured together; the first is divided by each of the others.
COMPARISONS = {"engines": ("rectifier", "onnxruntime", "pytorch"), "avx2": ("rectifier-avx2", "openblas-avx2")}
CALL = "identity"  # the network that does nothing: what a call costs
SLICE = 0.1        # seconds of one engine's turn
LEAST_ROUNDS = 5
OF_SCALE = 1e-4    # outputs may differ by this much of the largest one


def difference(got, want):
    """The largest difference, as a share of the largest value."""
    if len(got) != len(want):
        return float("inf")
    scale = max(map(abs, want)) or 1.0
    return max(abs(a - b) if a == a else float("inf") for a, b in zip(got, want)) / scale


def spread(values):
    values = sorted(values)
    p10, p90 = (values[round(q * (len(values) - 1))] for q in (0.1, 0.9))
    return {"median": statistics.median(values), "p10": p10, "p90": p90}


def measure(running, batch, seconds):
    """name -> times, one a round; the engines take turns."""
    rounds = {name: [] for name in running}
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(next(iter(rounds.values()))) < LEAST_ROUNDS:
        for name, engine in running.items():
            rounds[name].append(engine.time(batch, SLICE))
    return rounds


def row(running, batch, seconds):
    """One row of results, without what identifies it."""
    outputs = {name: engine.run(batch) for name, engine in running.items()}
    ours = next(iter(running))
    errors = {name: difference(outputs[ours], output) for name, output in outputs.items() if name != ours}
    if not all(error <= OF_SCALE for error in errors.values()):
        return {"errors": errors, "wrong": True}
    rounds = measure(running, batch, seconds)
    ratios = {name: spread([a / b for a, b in zip(rounds[ours], rounds[name])]) for name in errors}
    return {"errors": errors, "rounds": len(rounds[ours]), "ratios": ratios,
            "ms": {name: spread(times) for name, times in rounds.items()}}


def show(found):
    words = [f"{found['network']:14} b{found['batch']} t{found['threads']}"]
    if found.get("wrong"):
        return print(words[0], "DIFFERENT OUTPUTS", found["errors"], flush=True)
    for name, ms in found["ms"].items():
        words.append(f"{name} {ms['median']:.4g} ms")
        if name in found["ratios"]:
            ratio = found["ratios"][name]
            words.append(f"{ratio['median']:.3f} ({ratio['p10']:.3f}..{ratio['p90']:.3f})")
        if name in found.get("without_call", {}):
            words.append(f"{found['without_call'][name]:.3f} without calls")
    return print("  ".join(words), flush=True)


def without_call(found, calls):
    """Ratios of the times less what a call costs on as many threads, for those engines where it shows."""
    ms = {name: times["median"] - calls.get(found["threads"], {}).get(name, 0) for name, times in found["ms"].items()}
    ours = next(iter(ms))
    return {name: ms[ours] / ms[name] for name in found["ratios"]
            if found["network"] != CALL and ms[name] > 0 and abs(ms[ours] / ms[name] - found["ratios"][name]["median"]) > 0.01}


@contextlib.contextmanager
def turn(path):
    """Waits for other measurements on this machine that hold the same lock."""
    if not path:
        yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Bench:
    def __init__(self, args):
        self.args, self.kinds = args, engines.kinds(args.build.resolve())
        self.rows, self.starts, self.about, self.calls = [], [], {}, {}

    def network(self, comparison, name, threads, batches):
        """All rows of one network at one number of threads."""
        present = [kind for kind in COMPARISONS[comparison] if kind in self.kinds]
        for kind in present:
            engines.model_of(self.kinds[kind], name)
        with turn(self.args.lock), contextlib.ExitStack() as stack:
            running = {}
            for kind in present:
                running[kind] = stack.enter_context(engines.Engine(self.kinds[kind], name, threads))
                self.about[kind] = running[kind].about
            self.starts.append({
                "comparison": comparison, "network": name, "threads": threads,
                **{what: {kind: getattr(engine, what) for kind, engine in running.items()}
                   for what in ("load_ms", "start_ms", "resident_mb")}})
            for batch in batches:
                found = row(running, batch, self.args.seconds)
                found = {"comparison": comparison, "network": name, "batch": batch, "threads": threads, **found}
                self.note(found)
            if comparison == "engines" and "gflops" not in self.about["rectifier"]:
                self.about["rectifier"].update(running["rectifier"].ask("peak"))

    def note(self, found):
        if not found.get("wrong") and found["comparison"] == "engines":
            if found["network"] == CALL:
                self.calls[found["threads"]] = {name: ms["median"] for name, ms in found["ms"].items()}
            found["without_call"] = without_call(found, self.calls)
        self.rows.append(found)
        show(found)

    def run(self):
        for name in (CALL, *self.args.nets):
            networks.write(name, engines.FOLDER, max(self.args.batch))
            for threads in self.args.threads:
                self.network("engines", name, threads, [1] if name == CALL else self.args.batch)
        for name in self.args.nets if self.args.avx2 else []:
            self.network("avx2", name, 1, self.args.batch)

    def results(self):
        return {"date": datetime.date.today().isoformat(), "command": self.args.command, "machine": machine(),
                "engines": self.about, "rows": self.rows, "starts": self.starts}


def machine():
    cpu = subprocess.run(["lscpu"], stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    governor = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    found = dict(line.split(":", 1) for line in cpu.splitlines() if ":" in line)
    model = [found.get(key, "?").strip() for key in ("Model name", "CPU family", "Model")]
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "") if hasattr(platform, "freedesktop_os_release") else ""
    return {"cpu": f"{model[0]} (family {model[1]}, model {model[2]})", "cores": len(os.sched_getaffinity(0)),
            "governor": governor.read_text().strip() if governor.exists() else "not visible", "system": system or platform.system()}


def head(bench):
    print(f"machine: {json.dumps(machine())}")
    absent = [name for name in COMPARISONS["engines"] if name not in bench.kinds]
    print(f"absent: {', '.join(absent)}" if absent else "all engines are there")
    print("ms a run; ratio of the first engine's time to the other's: median of the rounds (p10..p90)", flush=True)


def numbers(text):
    return [int(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", default=engines.ROOT / "build", type=pathlib.Path)
    everything = [name for name in networks.NETWORKS if name != CALL]
    parser.add_argument("--nets", default=",".join(everything), help=f"of {' '.join(everything)}")
    parser.add_argument("--batch", default="1,8", type=numbers)
    parser.add_argument("--threads", default="1,2", type=numbers)
    parser.add_argument("--seconds", default=6.0, type=float, help="a row")
    parser.add_argument("--no-avx2", dest="avx2", action="store_false", help="without the comparison with OpenBLAS on AVX2")
    parser.add_argument("--lock", metavar="FILE", help="take turns with whoever locks this file, network by network")
    args = parser.parse_args()
    args.command = "make bench" if len(sys.argv) < 3 else shlex.join(["tests/bench/run.py", *sys.argv[1:]])
    args.nets = args.nets.split(",")
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
        path.write_text(json.dumps(bench.results(), indent=1), encoding="utf-8")
        print(f"kept in {path.relative_to(engines.ROOT)}")
    return 1 if any(found.get("wrong") for found in bench.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
