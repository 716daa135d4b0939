#!/usr/bin/env bash
# Runs the tests on all cores, after setting up whatever is missing.
#
# usage: scripts/test.sh [pytest's arguments; paths are relative to the project's root, `-n 0` runs in one process]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up test
cd "$root"
exec "$venv/bin/python" -m pytest -n auto "$@"
