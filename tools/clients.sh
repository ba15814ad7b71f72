#!/bin/sh
# Install the Debian packages whose programs the tests drive: clients.sh PACKAGE=PROGRAM...
# Where that is not possible, say so: the tests that need them are left out then, each with its reason.
set -eu

missing="" packages=""
for pair in "$@"; do
    if ! command -v "${pair#*=}" >/dev/null 2>&1; then
        missing="$missing ${pair#*=}"
        packages="$packages ${pair%=*}"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing the Debian packages$packages, which the tests drive"
    log=$(mktemp)
    # shellcheck disable=SC2086
    if apt-get update -qq >"$log" 2>&1 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends $packages >>"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    cat "$log" >&2
    rm -f "$log"
fi
echo "Not there:$missing. What needs them is left out. To have it: apt-get install$packages" >&2
