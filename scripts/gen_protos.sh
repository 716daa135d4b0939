#!/usr/bin/env bash
# Generates the Python stubs of proto/ into chatbooth_grpc/_gen, with the grpcio-tools of the Python at hand:
# $PYTHON, else the active venv's or conda environment's, else .venv's, else python3.
#
# usage: scripts/gen_protos.sh [--if-changed] [--out DIR]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

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
