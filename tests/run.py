#!/usr/bin/env python3
"""Runs the unit tests, the fuzz corpora and the end-to-end tests of a build folder.

    python3 tests/run.py [BUILD] [--unit] [--e2e] [--filter TEXT] [--jobs N]

One line a suite, the text of every failure, the reason of every skip; the last line is
`N passed, N failed` (and `, N skipped` when tests were skipped). Exit code 0 only when something ran and
nothing failed.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUMMARY = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
# These wait more than they compute: started first, they end with the others.
WAITING = ("test_framing", "test_http_cases", "test_shutdown", "test_goldens", "test_page", "test_prometheus",
           "test_fleet")
SANITIZER_MARKS = {b"__asan_init": "address", b"__tsan_init": "thread", b"__ubsan_handle": "undefined"}


class Outcome:
    """What one suite did."""

    def __init__(self, name):
        self.name = name
        self.passed = self.failed = 0
        self.skipped = []  # "test: reason"
        self.text = ""     # of failures
        self.seconds = 0.0


def sanitizers(binary):
    """Which sanitizers a binary was built with, by the functions it calls."""
    try:
        data = binary.read_bytes()
    except OSError:
        return set()
    return {name for mark, name in SANITIZER_MARKS.items() if mark in data}


def test_environment(build):
    env = dict(os.environ, RECTIFIER_TEST_BUILD=str(build), PYTHONDONTWRITEBYTECODE="1")
    found = sanitizers(build / "rectifier")
    for binary in sorted((build / "tests" / "unit").glob("check_*"))[:2]:
        found |= sanitizers(binary)
    if found:
        slow = "20" if "thread" in found else "10"
        env["RECTIFIER_TEST_SANITIZER"] = ",".join(sorted(found))
        env.setdefault("RECTIFIER_TEST_SLOWNESS", slow)
        env.setdefault("CK_TIMEOUT_MULTIPLIER", slow)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:strict_string_checks=1:exitcode=99")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        env.setdefault("TSAN_OPTIONS", "second_deadlock_stack=1:halt_on_error=0:exitcode=66")
    return env


def run_unit(binary, env):
    outcome = Outcome(binary.name)
    try:
        done = subprocess.run([str(binary)], env=env, cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1200)
        text, code = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired as e:
        text, code = (e.stdout or b"").decode("utf-8", "replace") + "\n(stopped after 1200 s)", -1
    sums = [tuple(map(int, m)) for m in SUMMARY.findall(text)]
    checks = sum(s[0] for s in sums)
    outcome.failed = sum(s[1] + s[2] for s in sums)
    outcome.passed = checks - outcome.failed
    if code != 0 and outcome.failed == 0:
        outcome.failed = 1
        text += f"\nexit code {code} without a failed check"
    if not sums and code == 0:
        outcome.failed = 1
        text += "\nno summary of checks in the output"
    if outcome.failed:
        outcome.text = text[-8000:]
    return outcome


def run_replay(binary, env):
    """A fuzz target over its corpus; each file that was survived is a test passed."""
    outcome = Outcome(binary.name)
    corpus = ROOT / "tests" / "fuzz" / "corpus" / binary.name[len("replay_"):]
    try:
        done = subprocess.run([str(binary), str(corpus)], env=env, cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        text, code = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired as e:
        text, code = (e.stdout or b"").decode("utf-8", "replace") + "\n(stopped after 600 s)", -1
    summary = re.search(r"^(\d+) inputs$", text, re.M)
    outcome.passed = int(summary[1]) if summary and code == 0 else 0
    if not outcome.passed:
        outcome.failed = 1
        outcome.text = text[-8000:] + f"\nexit code {code}"
    return outcome


def run_e2e(path, env):
    """One file in a process of its own, which writes its results as JSON."""
    outcome = Outcome(path.stem)
    with tempfile.TemporaryDirectory(prefix="rectifier-run-") as folder:
        report = pathlib.Path(folder) / "report.json"
        command = [sys.executable, str(pathlib.Path(__file__).resolve()), "--one", str(path),
                   "--report", str(report)]
        try:
            done = subprocess.run(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800)
            text = done.stdout.decode("utf-8", "replace")
        except subprocess.TimeoutExpired as e:
            text = (e.stdout or b"").decode("utf-8", "replace") + "\n(stopped after 1800 s)"
        try:
            result = json.loads(report.read_text())
        except (OSError, ValueError):
            outcome.failed, outcome.text = 1, text[-8000:] + "\n(ended without a report)"
            return outcome
    outcome.passed, outcome.failed = result["passed"], result["failed"]
    outcome.skipped = result["skipped"]
    if outcome.failed:
        outcome.text = text[-12000:]
    return outcome


def one(path, report):
    """Child process: the tests of one file."""
    sys.path.insert(0, str(path.parent))
    suite = unittest.defaultTestLoader.loadTestsFromName(path.stem)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    broken = [case for case, _ in result.failures + result.errors] + result.unexpectedSuccesses
    failed = len(broken)
    skipped = [f"{case.id()}: {reason}" for case, reason in result.skipped]
    # Several failed subtests are one test that did not pass; a failed setUpClass is none that ran.
    unwell = {getattr(case, "test_case", case).id() for case in broken}
    unwell -= {name for name in unwell if name.startswith(("setUpClass", "tearDownClass"))}
    passed = max(0, result.testsRun - len(skipped) - len(unwell))
    report.write_text(json.dumps({"passed": passed, "failed": failed, "skipped": skipped}))
    return 1 if failed else 0


def timed(function, path, env):
    start = time.monotonic()
    outcome = function(path, env)
    outcome.seconds = time.monotonic() - start
    return outcome


def show(outcome):
    word = "FAIL" if outcome.failed else "ok"
    counts = f"{outcome.passed} passed, {outcome.failed} failed"
    if outcome.skipped:
        counts += f", {len(outcome.skipped)} skipped"
    print(f"{word:4} {outcome.name:28} {counts}  ({outcome.seconds:.1f} s)", flush=True)
    for reason in outcome.skipped:
        print(f"     skipped {reason}", flush=True)
    if outcome.text:
        print("     " + outcome.text.strip().replace("\n", "\n     "), flush=True)


def run_all(jobs, env, workers):
    """[Outcome] of [(function, path)], printed as they end."""
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(workers) as executor:
        waiting = [executor.submit(timed, function, path, env) for function, path in jobs]
        for future in concurrent.futures.as_completed(waiting):
            outcomes.append(future.result())
            show(outcomes[-1])
    return outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path)
    parser.add_argument("--unit", action="store_true", help="the unit tests and the corpora only")
    parser.add_argument("--e2e", action="store_true", help="the end-to-end tests only")
    parser.add_argument("--filter", default="", metavar="TEXT[,TEXT]",
                        help="only suites whose name contains one of the texts")
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 2)
    parser.add_argument("--one", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return one(options.one, options.report)

    build = options.build.resolve()
    both = options.unit == options.e2e
    jobs = []
    if options.unit or both:
        jobs += [(run_unit, p) for p in sorted((build / "tests" / "unit").glob("check_*"))
                 if p.is_file() and not p.suffix and os.access(p, os.X_OK)]
        jobs += [(run_replay, p) for p in sorted((build / "tests" / "fuzz").glob("replay_*"))
                 if p.is_file() and not p.suffix and os.access(p, os.X_OK)]
    if options.e2e or both:
        jobs += [(run_e2e, p) for p in sorted((ROOT / "tests" / "e2e").glob("test_*.py"))]
    jobs.sort(key=lambda job: job[1].stem not in WAITING)
    wanted = options.filter.split(",")
    jobs = [(f, p) for f, p in jobs if any(text in p.stem for text in wanted)]
    outcomes = run_all(jobs, test_environment(build), max(1, options.jobs))
    passed = sum(o.passed for o in outcomes)
    failed = sum(o.failed for o in outcomes)
    skipped = sum(len(o.skipped) for o in outcomes)
    broken = [o.name for o in outcomes if o.failed]
    if broken:
        print("failed: " + " ".join(sorted(broken)))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
