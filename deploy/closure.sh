#!/bin/sh
# closure.sh BIN OUTDIR: BIN as OUTDIR/<its name>, with every library it loads and the loader itself
# at the paths where it looks for them. OUTDIR is then a root file system that runs BIN alone.
set -eu
if [ $# -ne 2 ]; then
    echo "usage: closure.sh BIN OUTDIR" >&2
    exit 2
fi
bin=$1 out=$2
libraries=$(ldd "$bin")
case $libraries in
*"not found"*)
    echo "$libraries" | grep "not found" >&2
    exit 1
    ;;
esac
mkdir -p "$out"
cp "$bin" "$out/"
# "name => /path (0x...)", and the loader as "/path (0x...)"
echo "$libraries" | sed -n 's/^.*=> \(\/[^ ]*\) (0x.*$/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (0x.*$/\1/p' |
    while read -r library; do
        mkdir -p "$out${library%/*}"
        cp -L "$library" "$out$library"
    done
