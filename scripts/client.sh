#!/usr/bin/env bash
# Runs the client, after setting up whatever is missing; standard output holds nothing but the client's.
#
# usage: scripts/client.sh [the client's arguments; --help lists them]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up runtime
export CHATBOOTH_CLIENT_COMMAND=${CHATBOOTH_CLIENT_COMMAND:-$0} # what it tells a person to type
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
exec "$venv/bin/python" -m chatbooth_grpc.client "$@"
