#!/usr/bin/env bash
# Runs the tests on all cores, after installing anything that is missing.
#
# usage: scripts/test.sh [pytest's arguments; paths are relative to the project's root, and `-n 0` uses one process]
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

set_up test
cd "$root"
exec "$venv/bin/python" -m pytest -n auto "$@"
