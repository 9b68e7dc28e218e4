#!/usr/bin/python3
"""Seconds and memory that large networks take to load and to serve; fails beyond the limits.

    /usr/bin/python3 tests/zoo/load.py [BUILD]

Needs what run.py needs, and 2 GB of memory. The last line is `N passed, N failed`.
"""

import argparse
import os
import pathlib
import sys
import tempfile

import export
import networks

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPSET = 17
# network, --weights, the most bytes resident for each byte of the file, the program's own and activity's apart
CASES = (
    ("ResNet-50", "full", 1.7),
    ("VGG-16-BN", "full", 2.3),
    ("VGG-16-BN", "compact", 1.4),
)


def measure(memory, path, weights, most):
    """One line; whether it is within the limits."""
    file, said = path.stat().st_size, memory.inspected(path, "--weights", weights)
    resident, peak, seconds = memory.served(path, "--weights", weights)
    activity = said["activity_bytes"] + said["activity_session_bytes"]
    held, limit = most * file + memory.PROGRAM + activity, 2 * file + said["model_bytes"] + 64 * memory.MIB
    good = resident <= held and peak <= limit
    sizes = (n / memory.MIB for n in (file, resident, held, peak, limit))
    print(f"{path.stem:12} {weights:8} {seconds:6.1f} " + " ".join(f"{n:8.0f}" for n in sizes) +
          f"  {'ok' if good else 'FAIL'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description="Measures loading.")
    parser.add_argument("build", nargs="?", default=ROOT / "build", type=pathlib.Path)
    args = parser.parse_args()
    os.environ["RECTIFIER_TEST_BUILD"] = str(args.build.resolve())
    os.environ.setdefault("RECTIFIER_TEST_SLOWNESS", "10")  # the clock is read, but decides nothing
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    import memory  # which finds the binary when it is imported
    results = []
    print(f"{'network':12} {'weights':8} {'s':>6} " +
          " ".join(f"{what:>8}" for what in ("file", "resident", "most", "peak", "most")) + "  (MiB)")
    with tempfile.TemporaryDirectory() as folder:
        for name, weights, most in CASES:
            path = pathlib.Path(folder) / f"{name}.onnx"
            if not path.exists():
                net, size = networks.build(name)
                export.export(net, networks.images(name, 1, size, size), path, OPSET, {0: "batch"})
            results.append(measure(memory, path, weights, most))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
