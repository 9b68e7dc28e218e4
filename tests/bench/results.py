"""What measurements keep in a file: numbers, and the machine they are of."""

import contextlib
import fcntl
import json
import os
import pathlib
import platform
import statistics
import subprocess


def spread(values):
    values = sorted(values)
    p10, p90 = (values[round(q * (len(values) - 1))] for q in (0.1, 0.9))
    return {"median": statistics.median(values), "p10": p10, "p90": p90}


def rounded(found):
    """Four digits of every number."""
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    return float(f"{found:.4g}") if isinstance(found, float) else found


def as_json(results):
    """A line a row."""
    parts = [f'"{key}": ' + ("[\n" + ",\n".join(json.dumps(rounded(row)) for row in value) + "\n]"
                            if isinstance(value, list) else json.dumps(value)) for key, value in results.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def machine():
    text = subprocess.run(["lscpu"], check=True, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout
    cpu = {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    governor = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {"cpu": f"{cpu.get('Model name')} (family {cpu.get('CPU family')}, model {cpu.get('Model')})",
            "cores": len(os.sched_getaffinity(0)),
            "governor": governor.read_text().strip() if governor.exists() else "not visible",
            "system": platform.freedesktop_os_release()["PRETTY_NAME"]}


@contextlib.contextmanager
def turn(path):
    """Waits for other measurements on this machine that hold the same lock."""
    if not path:
        yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def numbers(text):
    return [int(word) for word in text.split(",")]


def words(text):
    return text.split(",")


def command(target, parser, args, options):
    """What gives the same measurement."""
    chosen = [(what, getattr(args, what)) for what in options]
    settings = [f"{what.upper()}={','.join(map(str, value)) if isinstance(value, list) else value}"
                for what, value in chosen if value != parser.get_default(what)]
    return " ".join([target, *settings])
