#!/usr/bin/env bash
# Starts the server, after installing anything that is missing.
#
# usage: scripts/serve.sh [the server's flags; --help lists them]
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

set_up runtime
printf -v client %q "$scripts/client.sh"
export CHATBOOTH_CLIENT_COMMAND=${CHATBOOTH_CLIENT_COMMAND:-$client} # what it tells a person to type
printf -v server %q "$0"
export CHATBOOTH_SERVER_COMMAND=${CHATBOOTH_SERVER_COMMAND:-$server} # how its help and its errors call it
run_module chatbooth_grpc.server "$@"
