#!/usr/bin/env bash
# Runs the tests, and reports the lines and branches of the package that they do not reach. Processes that the tests
# start count too.
#
# usage: scripts/coverage.sh [pytest's arguments]
set -euo pipefail
# The folder of this script, also where it is called through symbolic links; macOS has no readlink -f.
script=${BASH_SOURCE[0]}
while [ -L "$script" ]; do
    case $script in */*) ;; *) script=./$script ;; esac
    target=$(readlink "$script" && echo /) && target=${target%?/}
    case $target in /*) script=$target ;; *) script=${script%/*}/$target ;; esac
done
case $script in */*) scripts=${script%/*} ;; *) scripts=. ;; esac
source "$scripts/setup.sh"

set_up dev
cd "$root"
"$venv/bin/python" -m coverage erase
failed=
"$venv/bin/python" -m coverage run -m pytest -n auto "$@" || failed=yes
"$venv/bin/python" -m coverage combine --quiet
"$venv/bin/python" -m coverage report
[ -z "$failed" ] || die "some tests failed, so the report may lack lines that they would have reached"
