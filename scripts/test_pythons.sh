#!/usr/bin/env bash
# Runs a few tests on each other supported Python that is found. They test a server, both wires and the command line.
#
# usage: scripts/test_pythons.sh [pytest's arguments, instead of those few tests]
#
# A Python is found as python3.X on the PATH, or among pyenv's. PYTHONS names the versions: "3.10 3.13".
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

smoke=(
    tests/acceptance/test_both_wires.py
    tests/acceptance/test_command_line.py
    tests/contract/test_conformance.py
    tests/test_streams.py
)

# Prints the path of a Python of a version. Fails if there is none.
find_version() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        # A name on the PATH may be one of pyenv's shims, which does not run.
        if [ "$(version_of "$candidate" | cut -d. -f1,2)" = "$1" ]; then
            "$candidate" -I -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

default=$(version_of "$(find_python)")
read -ra versions <<<"${PYTHONS:-3.10 3.11 3.12 3.13 3.14}"
missing=()
for version in "${versions[@]}"; do
    [ "${default%.*}" != "$version" ] || [ -n "${PYTHONS:-}" ] || continue
    if ! python=$(find_version "$version"); then
        missing+=("$version")
        continue
    fi
    say "testing on Python $version"
    PYTHON=$python CHATBOOTH_VENV=$root/.venv-$version "$root/scripts/test.sh" -q "${@:-${smoke[@]}}"
done
[ ${#missing[@]} -eq 0 ] || say "not tested, since they were not found: Python ${missing[*]}"
