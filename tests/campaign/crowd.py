#!/usr/bin/env python3
"""Ten thousand idle connections and four thousand slow ones: prints what each costs and what others feel of them,
then what slowhttptest finds, where it is installed. Numbers for people: nothing here passes or fails.

    python3 tests/campaign/crowd.py [BUILD] [--idle N] [--slow N] [--seconds N]
"""

import argparse
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
ATTACKS = (("slow headers", "-H"), ("slow bodies", "-B"), ("slow readers", "-X"))


def latencies(server, seconds):
    """Milliseconds of requests one after the other, each over a connection of its own."""
    import support
    image = support.Digits.get().images.rows(0, 1).tobytes()
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        with server.client() as client:
            assert client.post("/infer", image, support.RAW).status == 200
        took.append((time.monotonic() - start) * 1e3)
    return sorted(took)


def show(what, took):
    print(f"{what:18} {took[len(took) // 2]:8.2f} ms, median; {took[len(took) * 99 // 100]:.2f} ms, 99th percentile")


def crowd(options):
    import support
    need = options.idle + options.slow
    with support.Server("--max-connections", need + 100, "--idle-timeout", "1h") as server:
        show("alone", latencies(server, options.seconds))
        before = server.metrics().value("process_resident_memory_bytes")
        # From several addresses: the kernel would be long in finding one another free port.
        held = [socket.create_connection(("127.0.0.1", server.port), source_address=(f"127.0.0.{2 + i // 5000}", 0))
                for i in range(need)]
        for s in held[:options.slow]:
            s.sendall(b"POST /infer HTTP/1.1\r\nHost: a\r\nX-Slow: a")
        after = server.metrics().value("process_resident_memory_bytes")
        print(f"{'memory':18} {(after - before) / need / 1024:8.2f} KiB for each of {need} connections")
        show("in the crowd", latencies(server, options.seconds))
        for s in held:
            s.close()


def slowhttptest(program, seconds):
    import support
    for what, kind in ATTACKS:
        with support.Server("--max-connections", "2000") as server:
            done = subprocess.run(
                [program, kind, "-c", "1000", "-r", "200", "-i", "1", "-l", str(int(seconds)), "-p", "3",
                 "-u", f"http://127.0.0.1:{server.port}/v2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            found = re.findall(r"service available:.*?(YES|NO)", done.stdout.decode("utf-8", "replace"))
            print(f"{what:18} service available: {', '.join(sorted(set(found))) or 'not said'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--slow", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    os.environ["RECTIFIER_TEST_BUILD"] = str(options.build.resolve())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < options.idle + options.slow + 200:
        sys.exit(f"{hard} open files are too few for {options.idle + options.slow} connections: ulimit -n")
    crowd(options)
    program = shutil.which("slowhttptest")
    if program:
        slowhttptest(program, 4 * options.seconds)
    else:
        print("slowhttptest is not installed")


if __name__ == "__main__":
    main()
