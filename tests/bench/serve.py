#!/usr/bin/env python3
"""Measures `rectifier serve` beside other servers, turn by turn: the same networks, requests and client.

    python3 tests/bench/serve.py [BUILD] [--nets A,B] [--formats json,binary] [--connections 1,8,64] [--seconds N]
                                  [--lock FILE]

The client compares every output with ours; where one differs, the measurement ends, and the exit code is 1. All
numbers go to build/bench/serve.json. `make bench-serve` installs and builds what this needs. README.md says how it
measures.
"""

import argparse
import array
import contextlib
import datetime
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import client
import engines
import networks
import results
import support
import wire

NETS = ["digits", "mlp", "resnet18"]
SMALL = ("digits", "mlp")  # served best by a process of one thread on each core; others by one process on all
KEEP_ALIVE = 75  # seconds, longer than the turns of the others
SAMPLES = 8  # that requests go through
TURN = 0.2  # seconds
OURS, ECHO = "rectifier", "echo"
SIZE = "Inference-Header-Content-Length"


class Peer(support.Server):
    """Another program that serves one network by the same protocol; it takes the port as its last argument."""

    def __init__(self, *command, env=None):
        super().__init__(env=env)
        self.command = command

    def launch(self, port=None):
        self.port = port or support.free_port()
        self.process = subprocess.Popen(list(map(str, [*self.command, self.port])), env=support.environment(self.env),
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __exit__(self, *_):
        self.terminate()
        self.process.wait()
        self.log.close()


def servers(name, build):
    """name -> server of the network, of those that are installed; ours first."""
    cores = len(os.sched_getaffinity(0))
    processes, threads = (cores, 1) if name in SMALL else (1, cores)
    onnx = engines.FOLDER / f"{name}.onnx"
    found = {OURS: support.Server(model=onnx, binary=build / "rectifier")}
    if (engines.NODE_MODULES / "onnxruntime-node").is_dir():
        found["node"] = Peer("node", engines.HERE / "node_server.mjs", engines.NODE_MODULES, onnx, processes, threads)
    if importlib.util.find_spec("torch") and importlib.util.find_spec("fastapi"):
        model = engines.model_of(engines.kinds(engines.ROOT)["pytorch"], name)
        found["fastapi"] = Peer(sys.executable, "-m", "uvicorn", "--app-dir", engines.HERE, "--workers", processes,
                                "--no-access-log", "--log-level", "warning", "--timeout-keep-alive", KEEP_ALIVE,
                                "fastapi_server:app", "--port",
                                env={"MODEL": str(model), "THREADS": str(threads)})
    return found


def memory_mb(process):
    """What a process and its children hold, pages that several processes share in equal parts."""
    folder = pathlib.Path("/proc", str(process))
    own = sum(int(line.split()[1]) for line in (folder / "smaps_rollup").read_text().splitlines()
              if line.startswith("Pss:")) / 1024
    children = (path.read_text().split() for path in folder.glob("task/*/children"))
    return own + sum(memory_mb(child) for found in children for child in found)


# ---- requests ----

def samples(name):
    """SAMPLES inputs of the network, each float32."""
    if name == "digits":
        images = support.Digits.get().images
        return [images.row(i) for i in range(SAMPLES)]
    _, path = networks.write(name, engines.FOLDER, SAMPLES)
    values = array.array("f", path.read_bytes())
    size = len(values) // SAMPLES
    return [values[i * size:(i + 1) * size] for i in range(SAMPLES)]


def as_text(value):
    """A float32 as short as a program would print it."""
    return str(int(value)) if value == int(value) else f"{value:.9g}"


def tensor(name, **more):
    return {"name": "x", "datatype": "FP32", "shape": [1, *networks.NETWORKS[name][1]], **more}


def compact(content):
    return json.dumps(content, separators=(",", ":"))


def as_json(name, sample):
    """(body, headers) of a request in JSON."""
    start, end = compact({"inputs": [tensor(name, data=[])]}).split("[]")
    return f"{start}[{','.join(map(as_text, sample))}]{end}".encode(), []


def as_binary(name, sample):
    """(body, headers) of a request whose tensors, and those of its reply, are bytes behind the JSON."""
    head = compact({"inputs": [tensor(name, parameters={"binary_data_size": 4 * len(sample)})],
                    "outputs": [{"name": "y", "parameters": {"binary_data": True}}]}).encode()
    return head + sample.tobytes(), [("Content-Type", "application/octet-stream"), (SIZE, str(len(head)))]


FORMATS = {"json": as_json, "binary": as_binary}


def requests(name, form):
    """The bytes of a request for each sample."""
    made = (FORMATS[form](name, sample) for sample in samples(name))
    return [wire.request_bytes("POST", f"/v2/models/{name}/infer", body, headers) for body, headers in made]


def ask(server, request):
    with server.wire() as w:
        w.send(request)
        reply = w.final()
    if reply.status != 200:
        raise RuntimeError(reply)
    return reply


# ---- measurement ----

def row(turns):
    """Numbers of turns: name -> [Turn]."""
    rates = {name: [turn.requests / turn.seconds for turn in found] for name, found in turns.items()}
    return {"requests": {name: int(sum(turn.requests for turn in found)) for name, found in turns.items()},
            "rate": {name: results.spread(found) for name, found in rates.items()},
            "ratios": {name: results.spread([a / b for a, b in zip(rates[OURS], found)])
                       for name, found in rates.items() if name != OURS},
            **{what: {name: results.spread([1e-3 * getattr(turn, what) for turn in found])["median"]
                      for name, found in turns.items()} for what in ("p50", "p99", "p999")}}


def show(found):
    words = [f"{found['network']:8} {found['format']:6} c{found['connections']:<3}"]
    for name, rate in found["rate"].items():
        words.append(f"{name} {rate['median']:.5g}/s {found['p50'][name]:.3g}/{found['p99'][name]:.3g} ms")
        words += [f"({found['ratios'][name]['median']:.2f})"] if name in found["ratios"] else []
    print("  ".join(words), flush=True)


class Bench:
    def __init__(self, args):
        self.args, self.build = args, args.build.resolve()
        self.rows, self.memory, self.about = [], [], {}

    def format(self, name, form, running, folder):
        """The rows of one network and one form of requests."""
        sent = requests(name, form)
        replies = [ask(running[OURS], request) for request in sent]
        values = [client.values_of(reply) for reply in replies]
        work = client.write(folder / form, sent, values)
        same = client.write(folder / f"{form}-{ECHO}", sent, values[:1] * SAMPLES)
        with client.echo(self.build, folder, replies[0]) as port:
            targets = {**{kind: (server.port, work) for kind, server in running.items()}, ECHO: (port, same)}
            for connections in self.args.connections:
                turns = client.load(self.build, connections, TURN, self.args.seconds, targets.values())
                self.rows.append({"network": name, "format": form, "connections": connections,
                                  **row(dict(zip(targets, turns)))})
                show(self.rows[-1])

    def network(self, name):
        networks.write(name, engines.FOLDER, SAMPLES)
        found = servers(name, self.build)
        with results.turn(self.args.lock), contextlib.ExitStack() as stack:
            folder = stack.enter_context(support.Folder()).path
            running = {kind: stack.enter_context(server) for kind, server in found.items()}
            for kind, server in running.items():
                with server.client() as c:
                    self.about.setdefault(kind, c.get("/v2").json())
            for form in self.args.formats:
                self.format(name, form, running, folder)
            memory = {kind: memory_mb(server.process.pid) for kind, server in running.items()}
        self.memory.append({"network": name, "resident_mb": memory})
        print(f"{name:8} MB in the end:", "  ".join(f"{kind} {mb:.0f}" for kind, mb in memory.items()), flush=True)

    def results(self):
        return {"date": datetime.date.today().isoformat(), "command": self.args.command, "machine": results.machine(),
                "servers": self.about, "rows": self.rows, "memory": self.memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", default=engines.ROOT / "build", type=pathlib.Path)
    parser.add_argument("--nets", default=NETS, type=results.words, metavar="NET,...",
                        help=f"of {' '.join(networks.NETWORKS)}")
    parser.add_argument("--formats", default=list(FORMATS), type=results.words)
    parser.add_argument("--connections", default=[1, 8, 64], type=results.numbers)
    parser.add_argument("--seconds", default=3.0, type=float, help="a server and row")
    parser.add_argument("--lock", metavar="FILE", help="take turns with whoever locks this file, network by network")
    args = parser.parse_args()
    for what, known in ((args.nets, networks.NETWORKS), (args.formats, FORMATS)):
        unknown = [name for name in what if name not in known]
        if unknown:
            parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    args.command = results.command("make bench-serve", parser, args, ("nets", "formats", "connections", "seconds"))
    engines.FOLDER.mkdir(parents=True, exist_ok=True)
    bench = Bench(args)
    print("requests/s, median and 99th percentile; in parentheses our requests/s divided by its", flush=True)
    try:
        for name in args.nets:
            bench.network(name)
    except subprocess.CalledProcessError:
        return 1  # the client has said what was wrong
    path = engines.FOLDER / "serve.json"
    path.write_text(results.as_json(bench.results()), encoding="utf-8")
    print(f"kept in {path.relative_to(engines.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
