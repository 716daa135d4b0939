#!/usr/bin/env bash
# Starts the server, after setting up whatever is missing.
#
# usage: scripts/serve.sh [the server's flags; --help lists them]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up runtime
export CHATBOOTH_CLIENT_COMMAND=${CHATBOOTH_CLIENT_COMMAND:-$(dirname "$0")/client.sh} # what it tells a person to type
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
exec "$venv/bin/python" -m chatbooth_grpc.server "$@"
