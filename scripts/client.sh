#!/usr/bin/env bash
# Runs the client, after installing anything that is missing. Standard output has only the output of the client.
#
# usage: scripts/client.sh [the client's arguments; --help lists them]
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
printf -v typed %q "$0"
export CHATBOOTH_CLIENT_COMMAND=${CHATBOOTH_CLIENT_COMMAND:-$typed} # what it tells a person to type
run_module chatbooth_grpc.client "$@"
