#!/usr/bin/python3
"""Whether drift is seen, and only drift: networks trained here, served by the real binary, one fault at a time.

    /usr/bin/python3 tests/drift/run.py [BUILD] [--seeds 5] [--kinds CNN,MLP] [--clean 30000] [--write]

Needs Debian's python3-torch and python3-sklearn. One line a fault; the last line is `N passed, N failed`. --write puts
the table into README.md.
"""

import argparse
import collections
import copy
import os
import pathlib
import re
import statistics
import sys
import tempfile

import numpy as np

import faults
import networks

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = pathlib.Path(__file__).with_name("README.md")
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

ROWS = 20          # of a request while all is well
STEP = 10          # inputs between looks while it is not
SIGNAL_WITHIN = 300
MOST_FAULTY = 900  # inputs; an alarm may need two windows
MOST_WARNINGS = 1 / 400  # of clean windows: 0.25 is four standard errors of the input's single numbers
RAW = {"Content-Type": "application/octet-stream"}


class Traffic:
    """Images of one network's live part, to its server: in passes over all of them, each in another order."""

    def __init__(self, network, client, seed):
        self.network, self.client = network, client
        self.random = np.random.default_rng(seed)
        self.order = []

    def pick(self, n, weights):
        """Which images; with `weights`, drawn with replacement."""
        if weights is not None:
            return self.random.choice(len(weights), n, p=weights / weights.sum())
        if len(self.order) < n:
            self.order = [*self.order, *self.random.permutation(len(self.network.live))]
        picked, self.order = self.order[:n], self.order[n:]
        return picked

    def send(self, n, spoil=None, weights=None):
        images = self.network.live[self.pick(n, weights)]
        if spoil:
            images = spoil(images, self.random)
        reply = self.client.post("/infer", np.ascontiguousarray(images, "<f4").tobytes(), RAW)
        if reply.status != 200:
            raise AssertionError(f"{reply.status}: {reply.body[:200]}")

    def drift(self):
        return self.client.get("/v2/models/digits/activity").json()["drift"]

    def clean(self, n, seen):
        """Sends n inputs; `seen` gets each window of 300's drift."""
        for i in range(0, n, ROWS):
            self.send(ROWS)
            if (i + ROWS) % SIGNAL_WITHIN == 0:
                seen(self.drift())


class Signals:
    """After how many inputs each came; None: not within MOST_FAULTY."""

    def __init__(self):
        self.drift = self.alarm = self.mix = None
        self.score = 0.0

    def see(self, drift, inputs):
        if self.drift is None and drift["state"] != "ok":
            self.drift = inputs
        if self.alarm is None and drift["state"] == "alarm":
            self.alarm = inputs
        if self.mix is None and drift["mix_notice"]:
            self.mix = inputs
        self.score = max(self.score, drift["score"] or 0.0)


def watch(traffic, spoil=None, weights=None):
    """Faulty inputs, one a request."""
    signals = Signals()
    for sent in range(1, MOST_FAULTY + 1):
        traffic.send(1, spoil, weights)
        if sent % STEP == 0:
            signals.see(traffic.drift(), sent)
    return signals


class Table:
    def __init__(self):
        self.rows = collections.defaultdict(lambda: collections.defaultdict(list))  # fault -> kind -> [Signals]
        self.clean = collections.defaultdict(list)                                  # kind -> [drift of a window]
        self.passed = self.failed = 0

    def judge(self, good, text):
        self.passed += good
        self.failed += not good
        print(f"{text}  {'ok' if good else 'FAIL'}", flush=True)

    def add(self, kind, seed, fault, signals):
        self.rows[fault][kind].append(signals)
        good = signals.drift is not None and signals.drift <= SIGNAL_WITHIN
        if fault in faults.MIXES:
            good = signals.mix is not None and signals.mix <= SIGNAL_WITHIN
            good &= signals.alarm is None or signals.alarm > SIGNAL_WITHIN
        self.judge(good, f"{kind} {seed}  {fault:34} drift after {signals.drift}, alarm {signals.alarm}, "
                         f"mix {signals.mix}, score {signals.score:.2f}")

    def add_clean(self, kind, seed, windows):
        self.clean[kind] += windows
        warned, wrong, score = sum_up(windows)
        self.judge(not wrong and warned <= MOST_WARNINGS * len(windows),
                   f"{kind} {seed}  {len(windows)} clean windows: {warned} in warn, {wrong} in alarm or with another "
                   f"mix, largest score {score:.3f}")

    def markdown(self):
        kinds = sorted(self.clean)
        yield "| traffic |" + "".join(f" {k}: drift after | alarm after | mix after | score |" for k in kinds)
        yield "|---|" + "---|" * (4 * len(kinds))
        for fault, of_kind in self.rows.items():
            yield f"| {fault} |" + "".join(
                " " + " | ".join(span([getattr(s, name) for s in of_kind[k]]) for name in ("drift", "alarm", "mix")) +
                f" | {statistics.median(s.score for s in of_kind[k]):.2g} |" for k in kinds)
        sums = {k: sum_up(self.clean[k]) for k in kinds}
        yield "| clean windows |" + "".join(
            f" {sums[k][0]} of {len(self.clean[k])} | {sums[k][1] or '-'} | - | at most {sums[k][2]:.2f} |" for k in kinds)

    def write(self):
        table = "\n".join(self.markdown())
        text = re.sub(r"(<!-- table -->\n).*(<!-- end -->)", lambda m: f"{m[1]}{table}\n{m[2]}",
                      README.read_text(encoding="utf-8"), flags=re.S)
        README.write_text(text, encoding="utf-8")


def sum_up(windows):
    """(how many are in warn, how many in alarm or with another mix, the largest score)"""
    return (sum(w["state"] == "warn" for w in windows),
            sum(w["state"] == "alarm" or w["mix_notice"] for w in windows), max(w["score"] for w in windows))


def span(counts):
    """Least and most over the seeds; how many had none."""
    seen = [c for c in counts if c is not None]
    if not seen:
        return "-"
    text = str(seen[0]) if min(seen) == max(seen) else f"{min(seen)} to {max(seen)}"
    return text if len(seen) == len(counts) else f"{text} ({len(counts) - len(seen)} not)"


def deploy(network, client, state):
    network.write_weights(state)
    reply = client.post("/v2/repository/models/digits/load", b"")
    if reply.status != 200:
        raise AssertionError(f"loading: {reply.status}: {reply.body[:200]}")


def try_network(kind, seed, clean, table):
    import support  # reads which build from the environment
    import tensors

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder) / "digits"
        folder.mkdir()
        network = networks.Network(kind, seed, folder)
        held_out = folder.parent / "held_out.npy"
        tensors.npy_write(held_out, tensors.Tensor(network.baseline.shape, network.baseline.ravel().tolist()))
        done = support.run("audit", folder, held_out, "--write-baseline", folder / "baseline.json")
        print(f"{kind} {seed}  accuracy {network.accuracy:.1%}; {done.stderr.strip().splitlines()[-1]}", flush=True)
        with support.Server("--model-control", "api", model=folder) as server, server.client() as client:
            try_faults(network, kind, seed, clean, Traffic(network, client, seed), table)


def try_faults(network, kind, seed, clean, traffic, table):
    windows = []
    for fault, spoil in faults.IMAGES.items():
        traffic.clean(clean, windows.append)
        table.add(kind, seed, fault, watch(traffic, spoil))
        recover(traffic)
    for fault, weights in faults.MIXES.items():
        traffic.clean(clean, windows.append)
        table.add(kind, seed, fault, watch(traffic, weights=weights(network.labels)))
        recover(traffic)
    for fault, break_it in faults.WEIGHTS.items():
        traffic.clean(clean, windows.append)
        state = copy.deepcopy(network.state)
        break_it(network, state, traffic.random)
        deploy(network, traffic.client, state)
        table.add(kind, seed, fault, watch(traffic))
        deploy(network, traffic.client, network.state)
        recover(traffic)
    table.add_clean(kind, seed, windows)


def recover(traffic):
    """Two windows of clean traffic: the first still holds what was wrong."""
    traffic.clean(2 * SIGNAL_WITHIN, lambda drift: None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default="build")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--kinds", default=",".join(networks.KINDS))
    parser.add_argument("--clean", type=int, default=30000, help="inputs before each fault")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    args = parser.parse_args()
    os.environ["RECTIFIER_TEST_BUILD"] = str(pathlib.Path(args.build).resolve())
    table = Table()
    for kind in args.kinds.split(","):
        for seed in range(args.seeds):
            try_network(kind, seed, args.clean, table)
    print("\n".join(table.markdown()))
    if args.write:
        table.write()
    print(f"{table.passed} passed, {table.failed} failed")
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
