"""House rules that no compiler checks: sizes of files and functions, unfinished words, and pages
whose make targets exist. Prints one line a finding; exit code 1 when there is any."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTION_LINES = 80
FILE_BYTES = 25 * 1024
LAYERS = ("core", "proto", "server")
# spelt so that this file does not find itself
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")) + r")\b")
SKIPPED = {".git", "build", "__pycache__", "goldens", "corpus"}
TEXT = {".c", ".h", ".S", ".def", ".py", ".sh", ".md", ".js", ".css", ".html", ".yml", ".yaml", ""}


def files():
    """Tracked and new files; in a tree without git, all that are not skipped."""
    try:
        done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        names = done.stdout.decode().splitlines()
        return [ROOT / n for n in names if (ROOT / n).is_file()]
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [f for f in folders if f not in SKIPPED]
            found += [pathlib.Path(folder) / n for n in names]
        return found


def report(findings):
    """Prints them and returns the exit code."""
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


def function_lengths(text):
    """(line, length) of every function: from the line that ends its head to the `}` in column 0."""
    start = None
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(r"^[A-Za-z_].*\)\s*\{?\s*$", line):
            start = number
        elif line.startswith("}"):
            if start is not None:
                yield start, number - start + 1
            start = None


def check_source(path, name, text):
    if path.stat().st_size > FILE_BYTES:
        yield f"{name}: {path.stat().st_size} bytes, more than {FILE_BYTES}: one subject?"
    if path.suffix in (".c", ".h"):
        for line, length in function_lengths(text):
            if length > FUNCTION_LINES:
                yield f"{name}:{line}: a function of {length} lines, more than {FUNCTION_LINES}"


def check_words(name, text):
    for number, line in enumerate(text.split("\n"), 1):
        word = UNFINISHED.search(line)
        if word:
            yield f"{name}:{number}: {word[0]}: finish it, or file an issue"


def check_targets(name, text, targets):
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.S))
    for target in re.findall(r"\bmake ([a-z][a-z-]*)\b", code):
        if target not in targets:
            yield f"{name}: `make {target}`, which the Makefile does not have"


def check_image(makefile):
    """The image is built from the packages that the Makefile installs, and has its version."""
    packages = re.search(r"(?m)^PACKAGES +:= +(.*)$", makefile)[1].split()
    version = re.search(r"(?m)^VERSION +:= +(.*)$", makefile)[1]
    words = (ROOT / "Dockerfile").read_text().split()
    for name, text in (("Dockerfile", "VERSION={}"), ("deploy/kubernetes/base/kustomization.yaml", "newTag: {}"),
                       ("deploy/kserve/runtime.yaml", "image: rectifier:{}")):
        if text.format(version) not in (ROOT / name).read_text():
            yield f"{name}: not {text.format(version)}, as in the Makefile"
    for package in packages:
        if package not in words:
            yield f"Dockerfile: {package} of the Makefile's PACKAGES is not installed"


def main():
    makefile = (ROOT / "Makefile").read_text()
    findings = list(check_image(makefile))
    targets = set(re.findall(r"(?m)^([a-z][a-z-]*):(?!=)", makefile))
    sources = 0
    for path in sorted(files()):
        name = str(path.relative_to(ROOT))
        if path.suffix not in TEXT or SKIPPED & set(path.relative_to(ROOT).parts[:-1]):
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            findings.append(f"{name}: not UTF-8")
            continue
        findings += check_words(name, text)
        if name.startswith(tuple(f"{layer}/" for layer in LAYERS)):
            sources += path.suffix == ".c"
            findings += check_source(path, name, text)
        if path.suffix == ".md":
            findings += check_targets(name, text, targets)
    if not sources:
        findings.append("no sources found")
    return report(findings)


if __name__ == "__main__":
    sys.exit(main())
