#!/bin/sh
# packages.sh PACKAGE...: installs the Debian packages that are missing, and says so first. On other
# systems it prints what is needed and stops, unless the libraries are there anyway.
set -eu

if ! command -v dpkg-query >/dev/null; then
    if pkg-config --exists libmicrohttpd jansson zlib nettle libprotobuf-c 2>/dev/null; then
        exit 0
    fi
    echo "This is no Debian or Ubuntu: please install what corresponds to these packages: $*" >&2
    exit 1
fi

missing=
for package; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "Please install as root: apt-get install$missing" >&2
        exit 1
    }
    sudo=sudo
fi
echo "Installing:$missing"
# shellcheck disable=SC2086  # one word a package
{
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
