"""Engines as child processes that answer lines; README.md has the protocol."""

import array
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import time

import networks

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "build" / "bench"
NODE_MODULES = ROOT / "build" / "oracle" / "node_modules"
AVX2 = {"RECTIFIER_ISA": "avx2"}
BLAS = {"RECTIFIER_GEMM": "openblas", "OPENBLAS_CORETYPE": "Haswell"}


class Kind:
    def __init__(self, command, suffix=".onnx", environment=None):
        self.command, self.suffix, self.environment = [str(word) for word in command], suffix, environment or {}


def kinds(build):
    """name -> Kind, of those that are installed"""
    ours = [build / "tests" / "bench" / "rectifier"]
    found = {"rectifier": Kind(ours)}
    if "avx2" in pathlib.Path("/proc/cpuinfo").read_text().split():
        found["rectifier-avx2"] = Kind(ours, environment=AVX2)
        found["openblas-avx2"] = Kind(ours, environment={**AVX2, **BLAS})
    if (NODE_MODULES / "onnxruntime-node").is_dir():
        found["onnxruntime"] = Kind(["node", HERE / "onnxruntime.mjs", NODE_MODULES])
    if importlib.util.find_spec("torch"):
        found["pytorch"] = Kind([sys.executable, HERE / "pytorch.py"], ".pt")
    return found


def model_of(kind, name):
    """The network in the engine's own form, made now if it is not there."""
    path = (FOLDER / name).with_suffix(kind.suffix)
    if kind.suffix == ".pt" and not path.exists():
        subprocess.run([*kind.command, "--write", name, str(path)], check=True)
    return path


class Engine:
    """One network loaded by one engine."""

    def __init__(self, kind, name, threads):
        _, shape, _ = networks.NETWORKS[name]
        model, inputs = model_of(kind, name), FOLDER / f"{name}.input"
        for file in (model, inputs):  # from the page cache, whoever comes first
            file.read_bytes()
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RECTIFIER_", "OPENBLAS_", "OMP_"))}
        start = time.monotonic()
        self.process = subprocess.Popen(
            [*kind.command, str(model), str(inputs), "x".join(map(str, shape)), str(threads)],
            env={**env, **kind.environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.answer()
        self.load_ms = self.about.pop("load_ms")
        self.run(1)
        self.start_ms = 1e3 * (time.monotonic() - start)
        self.resident_mb = self.resident()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args)}: ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def run(self, batch):
        """The outputs of the first `batch` samples."""
        path = FOLDER / f"{self.process.pid}.output"
        self.ask("run", batch, path)
        output = array.array("f", path.read_bytes())
        path.unlink()
        return output

    def time(self, batch, seconds):
        """Median milliseconds of a run in a slice."""
        return self.ask("time", batch, seconds)["ms"]

    def resident(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")
