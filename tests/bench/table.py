#!/usr/bin/env python3
"""The tables between `<!-- bench: NAME -->` and `<!-- end -->` in the pages, made from results.json, serve.json and
hooks.json beside this file.

    python3 tests/bench/table.py            # exit code 1 when a page says anything else
    python3 tests/bench/table.py --write
"""

import argparse
import json
import math
import pathlib
import re
import sys

import networks

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ("README.md", "tests/bench/README.md", "deploy/README.md")
TITLES = {"rectifier": "Rectifier", "onnxruntime": "onnxruntime-node", "pytorch": "PyTorch"}
OURS, CALL, ECHO = "rectifier", "identity", "echo"
SERVERS = {OURS: "Rectifier", "node": "Node.js", "fastapi": "FastAPI", ECHO: "echo"}
FEW, MANY = 8, 64  # connections of the short table; of one that asks for all there is
LOAD = 0.7  # of what a core can do, to plan with


def line(cells):
    return f"| {' | '.join(map(str, cells))} |"


def table(head, rows):
    return "\n".join(map(line, [head, ["---"] * len(head), *rows]))


def unique(values):
    return list(dict.fromkeys(values))


def title(network):
    return networks.NETWORKS[network][0]


def three_digits(value):
    digits = f"{value:.3g}"
    return f"{value:.0f}" if "e" in digits else digits


def rows_of(results, comparison):
    """network -> {(threads, batch): row}"""
    found = {}
    for row in results["rows"]:
        if row["comparison"] == comparison and row["network"] != CALL and not row.get("wrong"):
            found.setdefault(row["network"], {})[row["threads"], row["batch"]] = row
    return found


def cell(row, other):
    if other not in row.get("ratios", {}):
        return ""
    whole, without = (row[what][other]["median"] for what in ("ratios", "without_call"))
    return f"{whole:.2f}" + (f" ({without:.2f})" if abs(whole - without) > 0.01 else "")


def ratios(results, comparison, ours, others):
    """A row a network: our time of the first case, and the ratios of all."""
    rows = rows_of(results, comparison)
    cases = sorted({case for found in rows.values() for case in found})
    head = ["network", "ms, " + case_title(cases[0])]
    head += [f"{TITLES.get(other, other)}, {case_title(case)}" if i == 0 else case_title(case)
             for other in others for i, case in enumerate(cases)]
    lines = []
    for network, found in rows.items():
        first = found.get(cases[0])
        cells = [title(network), three_digits(first["ms"][ours]["median"]) if first else ""]
        lines.append(cells + [cell(found.get(case, {}), other) for other in others for case in cases])
    return table(head, lines)


def case_title(case):
    return f"b{case[1]} t{case[0]}"


def others_of(results):
    return [name for name in TITLES if name != OURS and name in results["engines"]]


def version(name, about):
    return f"{TITLES[name]} {about['version']}" + (f" (Node.js {about['node']})" if "node" in about else "")


def where(results):
    machine, about = results["machine"], results["engines"]
    versions = ", ".join(version(name, about[name]) for name in (OURS, *others_of(results)))
    return (f"{machine['cpu']}, {machine['cores']} cores, {about[OURS]['isa']}, {about[OURS]['gflops']:.0f} GFLOP/s a "
            f"core at the best, frequency governor {machine['governor']}; {machine['system']}; {versions}; "
            f"{results['date']}, `{results['command']}`.")


def call(results):
    """What a call costs, in words."""
    rows = [row for row in results["rows"] if row["network"] == CALL]
    if not rows:
        return ""
    costs = [f"{1e3 * ms['median']:.1f} µs in {TITLES[name]}" for name, ms in rows[0]["ms"].items()]
    return (f"A call alone, on a network of one ReLU over 16 numbers, takes {', '.join(costs)}, and is part of all "
            "times; in parentheses the ratio without it where that differs by more than 0.01.")


def speed(results):
    return "\n\n".join((ratios(results, "engines", OURS, others_of(results)), call(results), where(results)))


def start(results):
    """Time from the start of a process to its first answer, and its memory then."""
    names = [name for name in TITLES if name in results["engines"]]
    best = {}
    for found in results["starts"]:
        if found["comparison"] == "engines":
            best.setdefault(found["network"], []).append(found)
    lines = []
    for network, found in best.items():
        cells = [title(network)]
        for what in ("start_ms", "resident_mb"):
            cells += [f"{min(one[what][name] for one in found if name in one[what]):.0f}" for name in names]
        lines.append(cells)
    head = ["network"] + [f"{TITLES[name]}, {unit}" for unit in ("ms", "MB") for name in names]
    return table(head, lines)


def avx2(results):
    return ratios(results, "avx2", "rectifier-avx2", ["openblas-avx2"])


# ---- over HTTP ----

def places(row):
    return [title(row["network"]), "JSON" if row["format"] == "json" else row["format"]]


def shown(row, what, names):
    """Requests/s as they are, other numbers with three digits."""
    if what == "rate":
        return [f"{row['rate'][name]['median']:,.0f}" for name in names]
    return [three_digits(row[what][name]) for name in names]


def under(what, names):
    return [f"{what}, {SERVERS[name]}" if i == 0 else SERVERS[name] for i, name in enumerate(names)]


def serve(found):
    """A row a network, form and number of connections."""
    names = [name for name in SERVERS if name == ECHO or name in found["servers"]]
    head = ["network", "body", "connections", *under("requests/s", names), *under("p50 / p99, ms", names)]
    lines = []
    for row in found["rows"]:
        tails = zip(shown(row, "p50", names), shown(row, "p99", names))
        lines.append([*places(row), row["connections"], *shown(row, "rate", names), *map(" / ".join, tails)])
    return "\n\n".join((table(head, lines), where_served(found)))


def serve_few(found):
    names = [name for name in SERVERS if name in found["servers"]]
    head = ["network", "body", *under("requests/s", names), *under("p99, ms", names)]
    lines = [[*places(row), *shown(row, "rate", names), *shown(row, "p99", names)]
             for row in found["rows"] if row["connections"] == FEW]
    return "\n\n".join((table(head, lines), where_served(found)))


def serve_memory(found):
    names = [name for name in SERVERS if name in found["servers"]]
    lines = [[title(row["network"]), *(f"{row['resident_mb'][name]:.0f}" for name in names)] for row in found["memory"]]
    return table(["network", *under("MB", names)], lines)


def capacity(found):
    """What a core answers, and the cores for so many requests a second."""
    cores = found["machine"]["cores"]
    memory = {row["network"]: row["resident_mb"][OURS] / cores for row in found["memory"]}
    goals = (100, 1000, 10000, 100000)
    lines = []
    for row in found["rows"]:
        if row["connections"] == MANY:
            rate = row["rate"][OURS]["median"] / cores
            lines.append([*places(row), f"{rate:,.0f}", three_digits(memory[row["network"]]),
                          *(f"{math.ceil(goal / (LOAD * rate)):,}" for goal in goals)])
    head = ["network", "body", "requests/s a core", "MB a core",
            *(f"cores for {goal:,}/s" if goal == goals[0] else f"{goal:,}/s" for goal in goals)]
    return "\n\n".join((table(head, lines), where_served(found)))


def where_served(found):
    machine, about = found["machine"], found["servers"]
    versions = "; ".join(", ".join([f"{SERVERS[name]} {one['version']}", *map(" ".join, one.get("parts", {}).items())])
                         for name, one in about.items())
    return (f"{machine['cpu']}, {machine['cores']} cores, {about[OURS]['isa']}, frequency governor "
            f"{machine['governor']}; {machine['system']}; {versions}; {found['date']}, `{found['command']}`.")


# ---- what counting costs ----

def percent(one):
    return f"{one['overhead_pct']:.1f} %"


def hooks(found):
    """A row a network and batch."""
    lines = [[title(row["network"]), row["batch"], three_digits(row[OURS]["ms"]), percent(row[OURS]),
              three_digits(row["pytorch"]["ms"]), percent(row["pytorch"])] for row in found["rows"]]
    machine = found["machine"]
    head = ["network", "batch", "Rectifier, ms", "counting by unit", "PyTorch, ms", "hooks"]
    return "\n\n".join((table(head, lines), (
        f"{machine['cpu']}, {machine['cores']} cores, frequency governor {machine['governor']}; {machine['system']}; "
        f"PyTorch {found['pytorch']}; {found['date']}, `{found['command']}`.")))


# name -> (file beside this one, what makes the table of it)
TABLES = {"speed": ("results", speed), "start": ("results", start), "avx2": ("results", avx2),
          "hooks": ("hooks", hooks), "serve": ("serve", serve), "serve_few": ("serve", serve_few),
          "serve_memory": ("serve", serve_memory), "capacity": ("serve", capacity)}


def filled(text, results):
    def fill(match):
        file, make = TABLES[match[2]]
        return f"{match[1]}\n{make(results[file])}\n{match[3]}"
    return re.sub(r"(?s)(<!-- bench: (\w+) -->).*?(<!-- end -->)", fill, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the tables into the pages")
    args = parser.parse_args()
    results = {name: json.loads(pathlib.Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))
               for name in ("results", "serve", "hooks")}
    stale = 0
    for name in PAGES:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        new = filled(text, results)
        if "<!-- bench: " not in text:
            print(f"{name}: no `<!-- bench: NAME -->`")
            stale += 1
        elif new != text and args.write:
            path.write_text(new, encoding="utf-8")
        elif new != text:
            print(f"{name}: a table is not what the results give: make bench-table")
            stale += 1
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
