#!/usr/bin/env bash
# names.sh: sizes, unfinished work, make targets in the pages.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tests/lint/names.py
