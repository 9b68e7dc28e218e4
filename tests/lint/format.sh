#!/usr/bin/env bash
# format.sh: every C file is as clang-format would write it.
set -euo pipefail
cd "$(dirname "$0")/../.."
files=$(find core proto server tests -name '*.[ch]' | sort)
[ -n "$files" ] || { echo "no C files found" >&2; exit 1; }
# shellcheck disable=SC2086  # one word a file; none of our names has a space
${CLANG_FORMAT:-clang-format} --dry-run -Werror $files
