"""Links of all pages: each leads to a file of the tree and, behind a #, to a heading of it. What begins with a scheme is
not followed. Prints one line a finding; exit code 1 when there is any."""

import posixpath
import re
import sys

from names import ROOT, files, report

CODE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$|(`+)[^`].*?\3", re.M | re.S)
FENCES = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.M | re.S)
# [text](target "title"), [name]: target, and attributes of HTML
TARGETS = re.compile(r"""\]\(<?([^)>\s]+)|^\[[^\]]+\]: *(\S+)|\b(?:href|src|srcset)="([^"\s]+)""", re.M)


def anchors(text):
    """The anchors that GitHub gives to headings: a repeated one gets a number."""
    found = set()
    for heading in re.findall(r"(?m)^ {0,3}#{1,6} +(.+?)[ #]*$", FENCES.sub("", text)):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number, unique = 0, anchor
        while unique in found:
            number += 1
            unique = f"{anchor}-{number}"
        found.add(unique)
    return found


def check(page, text, tree, pages):
    for target in (a or b or c for a, b, c in TARGETS.findall(CODE.sub("", text))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        to = posixpath.normpath(posixpath.join(posixpath.dirname(page), file)) if file else page
        if to not in tree:
            yield f"{page}: link to {target}, which is not in the tree"
        elif anchor and anchor not in anchors(pages.get(to, "")):
            yield f"{page}: link to {target}: no such heading"


def main():
    names = [path.relative_to(ROOT).as_posix() for path in files()]
    tree = {"."}.union(names)
    for name in names:
        while name := posixpath.dirname(name):
            tree.add(name)
    pages = {name: (ROOT / name).read_text() for name in names if name.endswith(".md")}
    findings = [found for page, text in sorted(pages.items()) for found in check(page, text, tree, pages)]
    if not pages:
        findings.append("no pages found")
    return report(findings)


if __name__ == "__main__":
    sys.exit(main())
