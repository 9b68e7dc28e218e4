#!/usr/bin/env bash
# run.sh [BUILD] [PART...]: the lint parts, all of them unless named; one line each.
set -euo pipefail
folder=$(dirname "$0")
build=${1:-build}
[ $# -eq 0 ] || shift
[ $# -ne 0 ] || set -- format layers names links data kubernetes bench tidy cppcheck
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
for part; do
    if "$folder/$part.sh" "$build" >"$log" 2>&1; then
        echo "ok   $part"
        sed -n 's/^skipped/     &/p' "$log"
    else
        echo "FAIL $part"
        sed 's/^/     /' "$log"
        failed=$((failed + 1))
    fi
done
[ "$failed" -eq 0 ] || { echo "$failed lint parts failed"; exit 1; }
