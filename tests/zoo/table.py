"""README.md's tables."""

import pathlib
import re

README = pathlib.Path(__file__).with_name("README.md")


def network(line):
    return line.split(" | ")[0].removeprefix("| ")


def write(name, lines, order):
    """Replaces the rows of the networks in `lines`; the others stay. Those in `order` come first, as there."""
    text = README.read_text(encoding="utf-8")
    head, old, tail = re.fullmatch(rf"(?s)(.*<!-- {name} -->\n.*?---\|\n)(.*?)(<!-- end -->.*)", text).groups()
    lines = list(lines)
    new = {network(line) for line in lines}
    kept = [line for line in old.splitlines() if network(line) not in new]
    names = [*order, *map(network, kept), *map(network, lines)]
    rows = sorted(kept + lines, key=lambda line: names.index(network(line)))
    README.write_text(head + "".join(row + "\n" for row in rows) + tail, encoding="utf-8")
