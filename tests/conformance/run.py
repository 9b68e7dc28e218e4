#!/usr/bin/python3
"""Runs the real binary on every case of the suites and compares with expected.txt.

    /usr/bin/python3 tests/conformance/run.py [BUILD] [--filter TEXT] [--jobs N]

`pass`: the outputs have the expected dtype, shape and values. `skip: REASON`: the model is refused with exit
code 1 and one line that has every word of the reason. `differs: REASON`: it is computed, and other values are
right for that reason. Whatever is not as expected.txt says counts as failed. Prints a table by operator; the
last line is `N passed, N failed, N skipped`, where `differs` counts as skipped.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = ROOT / "build" / "conformance"
EXPECTED = pathlib.Path(__file__).with_name("expected.txt")
OF_SCALE = 1e-5          # of the largest expected value
RTOL, ATOL = 1e-3, 1e-7  # what ONNX asks of a backend, value by value; its values are exact enough for that
TIMEOUT = 120
CONST = "/const"
OWN = "test_"  # how ONNX's cases are called
VERDICTS = PASS, SKIP, DIFFERS = "pass", "skip", "differs"


def read_expected(path):
    """name -> (verdict, reason)"""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        name, _, verdict = line.partition(" ")
        verdict, _, reason = verdict.strip().partition(": ")
        if name in found or verdict not in VERDICTS or (verdict != PASS) != bool(reason):
            sys.exit(f"{path.name}:{number}: expected NAME and pass, skip: REASON or differs: REASON: {line}")
        found[name] = verdict, reason
    return found


def read_cases():
    for suite in sorted(CASES.iterdir()):
        for case in json.loads((suite / "cases.json").read_text(encoding="utf-8")):
            case["suite"], case["folder"] = suite.name, suite / case["name"]
            yield case


def difference(got, want, each=True):
    """What is wrong with an output; empty when it is right. `each`: look at each value's own size, too."""
    if want.dtype in (np.float64, np.float16) and got.dtype == np.float32:
        want = want.astype(np.float32)  # what models hold in FP64 and FP16 is computed in FP32
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{got.dtype} {list(got.shape)}, expected {want.dtype} {list(want.shape)}"
    if want.dtype.kind != "f":
        wrong = int((got != want).sum())
        return f"{wrong} of {want.size} values differ" if wrong else ""
    special = ~np.isfinite(want)
    if not np.array_equal(got[special], want[special], equal_nan=True):
        return "NaN or infinite values differ"
    off = np.abs(got[~special].astype(np.float64) - want[~special])
    size = np.abs(want[~special].astype(np.float64))
    if not off.size:
        return ""
    if not (off <= OF_SCALE * size.max()).all():
        return f"off by {off.max():.3g} on a scale of {size.max():.3g}"
    if each and not (off <= ATOL + RTOL * size).all():
        return f"off by {(off / (ATOL + RTOL * size)).max():.3g} times what ONNX allows"
    return ""


def infer(binary, case, out):
    command = [str(binary.resolve()), "infer", "model.onnx", "-o", out]
    command += [f"{name}={file}" for name, file in case["inputs"]]
    env = {k: v for k, v in os.environ.items() if not k.startswith("RECTIFIER_")}
    return subprocess.run(command, cwd=case["folder"], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)


def check_outputs(case, out):
    for name, file in case["outputs"]:
        path = pathlib.Path(out, name.replace("/", "_") + ".npy")
        if not path.exists():
            return f"no output {name}"
        wrong = difference(np.load(path), np.load(case["folder"] / file), each=case["suite"] == "onnx")
        if wrong:
            return f"output {name}: {wrong}"
    return ""


def check_refusal(done, said, reason):
    if done.returncode == 0:
        return f"computed, but expected to be refused: {reason}"
    if done.returncode != 1 or "\n" in said:
        return f"exit code {done.returncode}, expected 1 and one line: {said}"
    missing = [word for word in reason.split() if not re.search(rf"\b{re.escape(word)}\b", said)]
    return f"refused, but not for '{reason}': {said}" if missing else ""


def check(binary, case, verdict, reason):
    """What is not as expected; empty when all is."""
    with tempfile.TemporaryDirectory() as out:
        try:
            done = infer(binary, case, out)
        except subprocess.TimeoutExpired:
            return f"no end after {TIMEOUT} s"
        said = done.stderr.decode("utf-8", "replace").strip()
        if verdict == SKIP:
            return check_refusal(done, said, reason)
        if done.returncode:
            return f"exit code {done.returncode}: {said}"
        wrong = check_outputs(case, out)
        if verdict == DIFFERS:
            return "" if wrong else f"as expected, although it should not: {reason}"
        return wrong


def run_all(binary, cases, expected, jobs):
    """(case, verdict, reason, what went wrong or "")"""
    def one(case):
        base = case["name"][:-len(CONST)] if case["name"].endswith(CONST) else case["name"]
        name = case["name"] if case["name"] in expected else base
        if name not in expected:
            return case, PASS, "", "not in expected.txt"
        return case, *expected[name], check(binary, case, *expected[name])

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, cases))


def print_table(results):
    rows = collections.defaultdict(lambda: [0, 0, 0, collections.Counter()])
    for case, verdict, reason, wrong in results:
        row = rows[case["operator"]]
        row[1 if wrong else 0 if verdict == PASS else 2] += 1
        if reason and not wrong:
            row[3][reason] += 1
    print(f"{'operator':28} passed failed skipped")
    for operator, (passed, failed, skipped, reasons) in sorted(rows.items()):
        why = "; ".join(f"{reason} ({n})" for reason, n in reasons.items())
        print(f"{operator:28} {passed:6} {failed:6} {skipped:7}  {why}".rstrip())


def main():
    parser = argparse.ArgumentParser(description="Runs ONNX cases through the real binary.")
    parser.add_argument("build", nargs="?", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--filter", default="", help="only cases whose name or operator has this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    expected = read_expected(EXPECTED)
    everything = list(read_cases())
    cases = [c for c in everything if args.filter in c["name"] or args.filter == c["operator"]]
    results = run_all(args.build / "rectifier", cases, expected, args.jobs)
    for case, _, _, wrong in results:
        if wrong:
            print(f"FAIL {case['name']}: {wrong}")
    print_table(results)
    stale = [] if args.filter else sorted(expected.keys() - {c["name"] for c in everything})
    for name in stale:
        print(f"FAIL {name}: in expected.txt, but there is no such case")
    passed = [case["name"] for case, verdict, _, wrong in results if verdict == PASS and not wrong]
    failed = sum(bool(wrong) for _, _, _, wrong in results) + len(stale)
    own = sum(name.startswith(OWN) and not name.endswith(CONST) for name in passed)
    print(f"{own} of ONNX's own cases passed as they are")
    print(f"{len(passed)} passed, {failed} failed, {len(results) + len(stale) - len(passed) - failed} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
