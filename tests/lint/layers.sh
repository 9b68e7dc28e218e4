#!/usr/bin/env bash
# layers.sh [BUILD]: server -> proto -> core, by the include lines and by libcore.a's symbols.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
bad=0

# forbid FOLDER PATTERN WHY: no include line of FOLDER's C files matches PATTERN.
forbid() {
    # grep on a folder that is not there finds nothing, which must not look like success
    [ -d "$1" ] || { echo "no folder $1" >&2; exit 1; }
    if grep -rnE --include='*.[chS]' --include='*.def' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$2" "$1"; then
        echo "  ^ $3" >&2
        bad=1
    fi
}

forbid core '(proto|server|tests)/' 'core knows neither proto nor server'
forbid core '(jansson|microhttpd|nettle|zlib)\.h' 'core parses no JSON and serves no HTTP'
forbid proto '(server|tests)/' 'proto does not know the server'
forbid proto '(microhttpd|zlib)\.h' 'proto serves no HTTP'
forbid server 'tests/' 'the server does not depend on tests'
for folder in core proto server; do
    forbid "$folder" '\.\.?/' 'includes are written from the root: "core/tensor.h"'
done
others=$(grep -rlE --include='*.[ch]' '#[[:space:]]*include[[:space:]]*<cblas\.h>' core proto server | grep -v '^core/kernels/blas\.c$' || true)
if [ -n "$others" ]; then
    echo "$others: only core/kernels/blas.c includes <cblas.h>" >&2
    bad=1
fi

library=$build/libcore.a
[ -f "$library" ] || { echo "no $library: build first" >&2; exit 1; }
symbols=$(nm -g "$library")
# Sanitizers add symbols of their own.
if ! grep -qE ' U __(asan|tsan|ubsan)_' <<<"$symbols"; then
    # needed, but not defined in it: libc, libm, pthread, OpenBLAS; none of ours from above
    missing=$(awk 'NF == 2 && $1 == "U" { need[$2] } NF == 3 { have[$3] }
                   END { for (s in need) if (!(s in have)) print s }' <<<"$symbols")
    if grep -E '^(rf_|srv_|json_|MHD_)' <<<"$missing"; then
        echo "  ^ libcore.a needs what lies above it" >&2
        bad=1
    fi
    if awk 'NF == 3 && $2 ~ /^[A-TV-Z]$/ && $3 !~ /^(rf_|__wrap_blas_)/' <<<"$symbols" | grep .; then
        echo "  ^ global symbols of core begin with rf_" >&2
        bad=1
    fi
    grep -qE ' T rf_session_run$' <<<"$symbols" || { echo "no rf_session_run in $library" >&2; bad=1; }
fi
exit $bad
