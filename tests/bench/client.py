"""Drives load.c and echo.c: what the measurements over HTTP share."""

import array
import collections
import contextlib
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "e2e"))

import tensors  # noqa: E402

Turn = collections.namedtuple("Turn", "requests seconds p50 p99 p999")  # percentiles in microseconds


def values_of(reply):
    """The output in a reply of either form: float32."""
    if (reply.header("Content-Type") or "").startswith("application/json"):
        return array.array("f", reply.json()["outputs"][0]["data"])
    return tensors.floats(reply.body[int(reply.header("Inference-Header-Content-Length") or 0):])


def write(folder, requests, values):
    """What load.c sends, and must get: bytes of each request, float32 of each reply."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, (request, output) in enumerate(zip(requests, values)):
        (folder / f"{i}.request").write_bytes(request)
        (folder / f"{i}.values").write_bytes(output.tobytes())
    return folder


@contextlib.contextmanager
def echo(build, folder, reply):
    """The port of a server that answers everything with that reply, whose body is in a file in `folder`."""
    path = folder / "reply"
    path.write_bytes(reply.body)
    headers = [text for header in reply.headers if header[0] not in ("Date", "Content-Length") for text in header]
    process = subprocess.Popen([build / "tests/bench/echo", path, *headers], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def load(build, connections, turn, seconds, servers):
    """The turns of each of `servers`, which are (port, folder)."""
    targets = [f"{port}={folder}" for port, folder in servers]
    done = subprocess.run([build / "tests/bench/load", *map(str, (connections, turn, seconds)), *targets], check=True,
                          stdout=subprocess.PIPE, text=True)
    turns = [[] for _ in targets]
    for line in done.stdout.splitlines():
        place, *numbers = line.split()
        turns[int(place)].append(Turn(*map(float, numbers)))
    return turns
