#!/usr/bin/env bash
# tidy.sh [BUILD]: clang-tidy with .clang-tidy over core, proto and server; any finding fails.
# BUILD holds the generated ops.inc. One file a process: clang-tidy 14 takes va_lists of a second file
# for uninitialised.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
[ -f "$build/ops.inc" ] || { echo "no $build/ops.inc: build first" >&2; exit 1; }

check() {
    local flags=(-std=gnu11 -I. "-I$build" -D_GNU_SOURCE '-DRF_VERSION="0"' -DRF_ISA=base)
    local folder
    for folder in /usr/include/*/openblas-serial; do
        [ ! -d "$folder" ] || flags+=(-isystem "$folder")
    done
    # the file that defines rf_fail needs its true declaration
    [ "$1" = core/status.c ] || flags+=(-include tests/lint/analyzer.h)
    "${CLANG_TIDY:-clang-tidy}" --quiet --warnings-as-errors='*' "$1" -- "${flags[@]}" 2>/dev/null
}
export -f check
export build
find core proto server -name '*.c' | sort | xargs -P "$(nproc)" -I{} bash -c 'check {}'
