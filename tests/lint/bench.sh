#!/usr/bin/env bash
# bench.sh: the tables of measurements in the pages are those of tests/bench/results.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tests/bench/table.py
