#!/usr/bin/env bash
# data.sh: every YAML and JSON file of deploy/ and tests/rules/ parses, and no key comes twice.
set -euo pipefail
cd "$(dirname "$0")/../.."
# python3-yaml is Debian's
/usr/bin/python3 tests/lint/data.py
