#!/usr/bin/env bash
# kubernetes.sh [BUILD]: the manifests of deploy/ are what Kubernetes and the server take.
set -euo pipefail
cd "$(dirname "$0")/../.."
# python3-yaml and python3-jsonschema are Debian's
/usr/bin/python3 tests/lint/kubernetes.py "${1:-build}"
