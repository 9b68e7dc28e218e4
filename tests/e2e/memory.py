"""What a served model holds, and how long it took to load."""

import json
import time

import support

MIB = 1 << 20
PROGRAM = 24 * MIB  # the program itself, its threads and one session


def of_process(pid, key):
    """A line of /proc/PID/status, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) << 10
    raise AssertionError(f"no {key}")


def inspected(model, *args):
    """What inspect says; `model_bytes`, what weights and tables take, among it."""
    done = support.run("inspect", model, "--json", *args, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def served(model, *args):
    """Bytes resident in one thread, their peak, and the seconds until it is ready."""
    began = time.monotonic()
    with support.Server("--threads", "1", *args, model=model) as server:
        seconds = time.monotonic() - began
        return of_process(server.process.pid, "VmRSS"), of_process(server.process.pid, "VmHWM"), seconds
