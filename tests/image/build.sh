#!/bin/sh
# build.sh FOLDER: builds the Dockerfile with buildah, where no registry can be reached: what it calls debian:12-slim
# is made of Debian's packages, fetched as this machine fetches its own, and kept in FOLDER for the next time.
# The image is then FOLDER/rootfs, and what it says of itself FOLDER/image.json. Needs root.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)

store() {
    buildah --storage-driver vfs --root "$folder/storage" --runroot "$folder/run" "$@"
}

if [ ! -f "$folder/base.tar" ]; then
    apt-config dump Acquire >"$folder/apt.conf"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        if grep -qs bookworm "$list"; then
            set -- "$@" "$list"
        fi
    done
    shift
    mmdebstrap --quiet --variant=minbase --aptopt="$folder/apt.conf" bookworm "$folder/new.tar" "$@"
    mv "$folder/new.tar" "$folder/base.tar"
fi
rm -rf "$folder/storage" "$folder/run" "$folder/rootfs"

base=$(store from scratch)
store add --quiet "$base" "$folder/base.tar" /
store commit --quiet --disable-compression "$base" localhost/debian:12-slim
store rm "$base"
store bud --isolation chroot --pull-never --format docker --tag rectifier "$source"
store inspect --type image rectifier >"$folder/image.json"
image=$(store from --pull-never rectifier)
cp -a "$(store mount "$image")" "$folder/rootfs"
rm -rf "$folder/storage" "$folder/run"
