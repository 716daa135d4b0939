#!/usr/bin/env bash
# Checks style, types and the .proto, after setting up whatever is missing.
#
# usage: scripts/lint.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up dev
cd "$root"
"$venv/bin/python" -m ruff check
"$venv/bin/python" -m ruff format --check
"$venv/bin/python" -m mypy
"$venv/bin/buf" lint
say "lint passed"
