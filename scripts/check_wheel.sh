#!/usr/bin/env bash
# Builds the sdist, and from it the wheel, and tries the wheel in a new environment outside the tree.
#
# usage: scripts/check_wheel.sh
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
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$venv/bin/python" -m build --quiet --outdir "$work/dist" "$root" 2>"$work/log" || die "$(cat "$work/log")"
make_venv "$work/venv"
install_into "$work/venv" "$work"/dist/*.whl

cd "$work"
for command in chatbooth chatbooth-server chatbooth-admin; do
    "venv/bin/$command" --help >help || die "$command --help failed"
    grep -q '^usage: ' help || die "$command --help says: $(cat help)"
done
venv/bin/python - "$root" <<'END'
import pathlib, sys
import chatbooth_grpc
from chatbooth_grpc._gen import admin_pb2, admin_pb2_grpc, chatbooth_pb2, chatbooth_pb2_grpc

tree = pathlib.Path(sys.argv[1], "chatbooth_grpc")
wheel = pathlib.Path(chatbooth_grpc.__file__).parent
assert tree not in (wheel, *wheel.parents), wheel
wanted = {path.relative_to(tree) for kind in ("*.py", "*.sql", "py.typed") for path in tree.rglob(kind)}
missing = sorted(str(path) for path in wanted if not (wheel / path).is_file())
assert not missing, f"not in the wheel: {missing}"
END
say "the wheel works: $(basename "$work"/dist/*.whl)"
