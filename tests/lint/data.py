"""Parses the YAML and JSON files named below; a parser takes the last of two equal keys, this takes none. Prints one
line a finding; exit code 1 when there is any."""

import json
import pathlib
import sys

import yaml

from names import report

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("deploy", "tests/rules")
MERGE = "tag:yaml.org,2002:merge"


class Strict(yaml.SafeLoader):
    """A loader whose keys are strings, or <<, and differ: `no` and `on` are booleans to YAML 1.1."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != MERGE]
        for key in keys:
            if not isinstance(key, str) or keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r}", node.start_mark)
        return super().construct_mapping(node, deep)


def unique(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key twice among {[key for key, _ in pairs]}")
    return found


def main():
    files = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.suffix in (".json", ".yml", ".yaml"))
    findings = [] if files else ["no files found"]
    for path in files:
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(), object_pairs_hook=unique)
            else:
                list(yaml.load_all(path.read_text(), Strict))
        except (ValueError, yaml.YAMLError) as e:
            findings.append(f"{path.relative_to(ROOT)}: {e}")
    return report(findings)


if __name__ == "__main__":
    sys.exit(main())
