#!/usr/bin/python3
"""Counts the engine's own activations again, on every instruction set and backend, by one and two threads.

    /usr/bin/python3 tests/zoo/recount.py [BUILD] [--filter TEXT]

Values, zeros, dead channels and dead units must be equal, moments within 1e-5; in a server that puts requests of one
row together, each channel's zeros as well. One line a run; the last line is `N passed, N failed`.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import export
import networks

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "e2e"))

NETWORKS = ("ResNet-18", "VGG-11-BN", "DenseNet-121")
OPSET = 13
ROWS = (1, 7)
THREADS = (1, 2)
MOMENTS = 1e-5  # of the root of the mean square
SMALL = ("--activity-min-inputs", "1")  # a verdict, and dead channels, from the first input on


def infer(binary, model, x, folder, env, threads):
    """What `--activity` says of a run, and a function that gives each layer's output of the same run."""
    np.save(folder / "input.npy", x)
    done = subprocess.run([str(binary), "infer", str(model), str(folder / "input.npy"), "-o", str(folder), "--keep",
                           "activations", "--activity", "--threads", str(threads), *SMALL],
                          env=env, check=True, stdout=subprocess.PIPE)

    def kept(name):  # the exporter's name of a node's output
        return np.load(folder / f"{name.replace('/', '_')}_output_0.npy", mmap_mode="r")
    return json.loads(done.stdout)["layers"], kept


def unlike(layer, y):
    """The fields of a layer in which it is not what its outputs y are."""
    fired = (y > 0).any(axis=0)
    dead = np.flatnonzero(~fired.reshape(len(fired), -1).any(axis=1))
    want = {"values": y.size, "zeros": int((y == 0).sum()), "nonfinite": int((~np.isfinite(y)).sum())}
    wrong = [key for key, value in want.items() if layer[key] != value]
    if layer["channels"]["dead_indices"] != dead.tolist():
        wrong.append("dead channels")
    if layer["units"] != {"total": fired.size, "dead": int((~fired).sum())}:
        wrong.append("units")
    scale = float(np.sqrt(np.square(y, dtype=np.float64).mean()))
    moments = {"mean": y.mean(dtype=np.float64), "std": y.std(dtype=np.float64), "max": y.max()}
    return wrong + [key for key, value in moments.items() if not abs(layer[key] - value) <= MOMENTS * scale]


def offline(binary, model, x, env, threads):
    with tempfile.TemporaryDirectory() as folder:
        layers, kept = infer(binary, model, x, pathlib.Path(folder), env, threads)
        return [f"{layer['name']}: {', '.join(wrong)}" for layer in layers
                if (wrong := unlike(layer, kept(layer["name"])))]


def served(binary, model, x, env):
    """Rows sent at the same time, one a request. Panels give the same bits in any batch."""
    import support  # reads the binary's place when it is imported
    with tempfile.TemporaryDirectory() as folder, support.Server(
            "--threads", "2", "--max-delay", "50ms", *SMALL, model=f"net={model}", env=env, binary=binary) as server:
        _, kept = infer(binary, model, x, pathlib.Path(folder), env, 1)

        def send(row):
            with server.client() as client:
                return client.post("/infer", np.ascontiguousarray(row, "<f4").tobytes(), support.RAW).status
        with concurrent.futures.ThreadPoolExecutor(len(x)) as pool:
            if set(pool.map(send, x)) != {200}:
                return ["not every request was answered"]
        with server.client() as client:
            layers = client.get("/v2/models/net/activity?channels=1").json()["layers"]
        problems = []
        for layer in layers:
            y = kept(layer["name"])
            wrong = unlike(layer, y)
            zeros = (y == 0).sum(axis=tuple(d for d in range(y.ndim) if d != 1))
            if layer["per_channel"]["zeros"] != zeros.tolist():
                wrong.append("zeros of channels")
            problems += [f"{layer['name']}: {', '.join(wrong)}"] if wrong else []
        return problems


def ways():
    """(what to call it, environment) of each instruction set that this CPU has, by each backend."""
    import support
    for isa, needs in support.NEEDS.items():
        if needs <= support.cpu_flags():
            for gemm in ("openblas",) if isa == "base" else ("auto", "openblas"):
                yield f"{isa} {gemm}", support.environment({
                    "RECTIFIER_ISA": isa, "OPENBLAS_CORETYPE": support.BLAS_CORE[isa], "RECTIFIER_GEMM": gemm})


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def add(self, what, problems):
        self.passed += not problems
        self.failed += bool(problems)
        print(f"{what:50} {'FAIL' if problems else 'ok'}", flush=True)
        for problem in problems[:5]:
            print(f"    {problem}")


def recount(binary, tally, name, path):
    net, size = networks.build(name)
    images = {rows: networks.images(name, rows, size, size) for rows in ROWS}
    export.export(net, images[ROWS[-1]], path, OPSET, {0: "batch"})
    for way, env in ways():
        for rows, x in images.items():
            for threads in THREADS:
                tally.add(f"{name} {way} batch {rows} threads {threads}",
                          offline(binary, path, x.numpy(), env, threads))
        if way.endswith("auto"):
            tally.add(f"{name} {way} served", served(binary, path, images[ROWS[-1]].numpy(), env))


def main():
    parser = argparse.ArgumentParser(description="Counts activations again.")
    parser.add_argument("build", nargs="?", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--filter", default="", help="only networks whose name has this text")
    args = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            if args.filter in name:
                recount((args.build / "rectifier").resolve(), tally, name, pathlib.Path(folder) / "model.onnx")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
