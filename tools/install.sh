#!/bin/sh
# Make a virtual environment with everything pinned: install.sh DIRECTORY CONSTRAINTS GROUP...
set -eu

directory=$1 constraints=$2
shift 2

fail() {
    echo "Cannot install: $1" >&2
    exit 1
}

command -v "$PYTHON" >/dev/null 2>&1 || fail "there is no '$PYTHON'. Install Python 3.11 or later, or name one: make PYTHON=/path/to/python3"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "'$PYTHON' is $("$PYTHON" -V). Python 3.11 or later is needed: make PYTHON=/path/to/python3"
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || fail "'$PYTHON' cannot make virtual environments. Install its venv module (Debian: apt-get install python3-venv)"

started=$(date +%s)
step() { echo "[$(($(date +%s) - started)) s] $1"; }

step "1/4 making $directory with $("$PYTHON" -V)"
rm -rf "$directory"
"$PYTHON" -m venv "$directory"

pip() { "$directory/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }

step "2/4 installing pip"
pip install --upgrade --constraint "$constraints" pip || fail "the package index could not be reached, see above"

step "3/4 installing Airflow, the amazon provider and the tools, pinned by $constraints (about a minute)"
groups=""
for group in "$@"; do groups="$groups --group $group"; done
# shellcheck disable=SC2086
pip install --constraint "$constraints" $groups --editable . || fail "see above"

step "4/4 checking that everything fits"
pip check || fail "the packages contradict each other, see above"

touch "$directory/.installed"
step "done"
