#!/usr/bin/env bash
# Checks style, types and the .proto, after installing anything that is missing.
#
# usage: scripts/lint.sh
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
"$venv/bin/python" -m ruff check
"$venv/bin/python" -m ruff format --check
"$venv/bin/python" -m mypy
"$venv/bin/buf" lint
"$venv/bin/buf" breaking --against proto/baseline.binpb
say "lint passed"
