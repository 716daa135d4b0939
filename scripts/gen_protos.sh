#!/usr/bin/env bash
# Generates the Python stubs of proto/ into chatbooth_grpc/_gen, with the grpcio-tools of the Python that it uses. That
# is $PYTHON, or else the Python of the active venv or conda environment, or else that of .venv, or else python3.
#
# usage: scripts/gen_protos.sh [--if-changed] [--out DIR]
set -euo pipefail

# The folder of this script, also where it is called through symbolic links; macOS has no readlink -f.
script=${BASH_SOURCE[0]}
while [ -L "$script" ]; do
    case $script in */*) ;; *) script=./$script ;; esac
    target=$(readlink "$script" && echo /) && target=${target%?/}
    case $target in /*) script=$target ;; *) script=${script%/*}/$target ;; esac
done
case $script in */*) scripts=${script%/*} ;; *) scripts=. ;; esac
unset CDPATH
root=$(cd -- "$scripts/.." && pwd -P && echo /) && root=${root%?/}

if [ -n "${PYTHON:-}" ]; then
    python=$PYTHON
elif [ -n "${VIRTUAL_ENV:-}" ]; then
    python=$VIRTUAL_ENV/bin/python
elif [ -n "${CONDA_PREFIX:-}" ] && [ "${CONDA_DEFAULT_ENV:-}" != base ]; then # base is active without being asked for
    python=$CONDA_PREFIX/bin/python
elif [ -x "${CHATBOOTH_VENV:-$root/.venv}/bin/python" ]; then
    python=${CHATBOOTH_VENV:-$root/.venv}/bin/python
else
    python=python3
fi

exec "$python" "$root/scripts/gen_protos.py" "$@"
