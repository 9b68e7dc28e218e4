#!/usr/bin/python3
"""What watching activations costs: ours by unit, and PyTorch's forward hooks that count each channel's zeros.

    /usr/bin/python3 tests/bench/hooks.py [BUILD] [--nets A,B] [--batch 1,8] [--seconds N] [--lock FILE]

Runs with and without take turns in one process, by one thread. All numbers go to build/bench/hooks.json. Needs Debian's
python3-torch. README.md says how it measures.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import statistics
import subprocess
import sys
import time

import torch

import engines
import networks
import pytorch
import results

LEAST_PAIRS = 30
WARM_UPS = 3
ORDERS = ("off,unit", "unit,off")  # two copies of a network differ by where their pages lie


class Watched(pytorch.Module):
    """Its ReLUs are modules, which is what takes hooks."""

    def __init__(self, net):
        super().__init__(net)
        self.relus = torch.nn.ModuleDict({output: torch.nn.ReLU() for op, _, output, _ in net.nodes if op == "Relu"})

    def compute(self, op, inputs, output, attributes):
        return self.relus[output](*inputs) if op == "Relu" else super().compute(op, inputs, output, attributes)

    @contextlib.contextmanager
    def counting(self, zeros):
        """Adds to zeros[layer], channel by channel."""
        def hook_of(layer):
            def hook(_, inputs, y):
                zeros[layer] = zeros.get(layer, 0) + (y == 0).sum(dim=[d for d in range(y.dim()) if d != 1])
            return hook
        handles = [relu.register_forward_hook(hook_of(layer)) for layer, relu in self.relus.items()]
        yield
        for handle in handles:
            handle.remove()


def milliseconds(net, x):
    start = time.perf_counter()
    net(x)
    return 1e3 * (time.perf_counter() - start)


def hooked(name, inputs, batch, seconds):
    """PyTorch's milliseconds without hooks, and what they add in percent."""
    net, zeros, pairs = Watched(networks.build(name)).eval(), {}, []
    with open(inputs, "rb") as file:
        x = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(-1, *net.sample)[:batch]
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(pairs) < WARM_UPS + LEAST_PAIRS:
        without = milliseconds(net, x)
        with net.counting(zeros):
            pairs.append((without, milliseconds(net, x)))
    if len(zeros) != len(net.relus):
        raise RuntimeError(f"{name}: hooks saw {len(zeros)} of {len(net.relus)} layers")
    pairs = pairs[WARM_UPS:]
    return {"ms": statistics.median(a for a, _ in pairs), "pairs": len(pairs),
            "overhead_pct": 100 * (statistics.median(b / a for a, b in pairs) - 1)}


def counted(build, model, batch, seconds):
    """The same of `rectifier bench`, the mean of both orders."""
    found = []
    for order in ORDERS:
        done = subprocess.run([str(build / "rectifier"), "bench", str(model), "--activity", order, "--batch", str(batch),
                               "--threads", "1", "--seconds", str(seconds), "--json"],
                              check=True, stdout=subprocess.PIPE, text=True)
        found.append({row["activity"]: row for row in map(json.loads, done.stdout.splitlines())})
    first, second = found
    least = min(row["runs"] for rows in found for row in rows.values())
    if least < LEAST_PAIRS:
        raise RuntimeError(f"{model}: {least} runs are too few: give it more seconds")
    back = 100 * (1 / (1 + second["off"]["overhead_pct"] / 100) - 1)
    return {"ms": first["off"]["median_ms"], "pairs": least,
            "overhead_pct": (first["unit"]["overhead_pct"] + back) / 2}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", default=engines.ROOT / "build", type=pathlib.Path)
    parser.add_argument("--nets", default=["mlp", "cnn", "resnet18", "resnet50", "vgg16"], type=results.words)
    parser.add_argument("--batch", default=[1], type=results.numbers)
    parser.add_argument("--seconds", default=20, type=int, help="a network and engine")
    parser.add_argument("--lock", metavar="FILE", help="take turns with whoever locks this file, network by network")
    args = parser.parse_args()
    torch.set_num_threads(1)
    engines.FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    print(f"{'network':14} {'batch':>5} {'rectifier ms':>13} {'by unit':>8} {'pytorch ms':>12} {'hooks':>8}")
    for name in args.nets:
        model, inputs = networks.write(name, engines.FOLDER, max(args.batch))
        for batch in args.batch:
            with results.turn(args.lock), torch.inference_mode():
                ours = counted(args.build.resolve(), model, batch, max(1, args.seconds // len(ORDERS)))
                theirs = hooked(name, inputs, batch, args.seconds)
            rows.append({"network": name, "batch": batch, "rectifier": ours, "pytorch": theirs})
            print(f"{name:14} {batch:5} {ours['ms']:13.4g} {ours['overhead_pct']:6.1f} % {theirs['ms']:12.4g} "
                  f"{theirs['overhead_pct']:6.1f} %", flush=True)
    path = engines.FOLDER / "hooks.json"
    about = {"date": datetime.date.today().isoformat(),
             "command": results.command("make bench-hooks", parser, args, ("nets", "batch", "seconds")),
             "machine": results.machine(), "pytorch": torch.__version__, "rows": rows}
    path.write_text(results.as_json(about), encoding="utf-8")
    print(f"kept in {path.relative_to(engines.ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
