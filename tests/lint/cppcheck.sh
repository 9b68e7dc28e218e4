#!/usr/bin/env bash
# cppcheck.sh [BUILD]: cppcheck over core, proto and server; any finding fails. Not asked for: pointer
# differences (the embedded network begins and ends at two symbols) and casts within a slab.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
    --error-exitcode=1 --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    --suppress='*:/usr/include/*' --suppress="*:$build/*" --suppress=comparePointers --suppress=subtractPointers \
    --suppress=invalidPointerCast -j "$(nproc)" \
    -I. "-I$build" -D_GNU_SOURCE -D__x86_64__ -D__linux__ -DRF_VERSION='"0"' -DRF_ISA=base \
    core proto server
