#!/usr/bin/env python3
"""screenshots.py BUILD: takes the README's pictures of the page anew, into .github/images/."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["RECTIFIER_TEST_BUILD"] = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build")
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import support  # noqa: E402
import test_page  # noqa: E402


def main():
    folder = ROOT / ".github" / "images"
    folder.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        picture = folder / f"page-{theme}.png"
        with support.Server() as server:
            subprocess.run(["node", str(ROOT / "tests" / "page" / "screenshots.mjs"),
                            f"http://127.0.0.1:{server.port}/", str(picture), theme], env=test_page.environment(), check=True)
        print(picture.relative_to(ROOT), picture.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
