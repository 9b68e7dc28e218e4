#!/usr/bin/env bash
# links.sh: links of the pages lead to files and headings that are there.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tests/lint/links.py
