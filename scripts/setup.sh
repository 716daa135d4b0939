#!/usr/bin/env bash
# Makes .venv, and installs the packages that the other scripts need. It is quick if that was done before.
#
# usage: scripts/setup.sh [runtime|test|dev]
#
# The other scripts source this file and call `set_up SET`. It prints nothing on standard output, which is theirs.
# PYTHON names the Python to use. CHATBOOTH_VENV names another folder than .venv. This runs on macOS's bash 3.2 too.
set -euo pipefail

# The folder of this script, also where it is called through symbolic links; macOS has no readlink -f.
script=${BASH_SOURCE[0]}
while [ -L "$script" ]; do
    case $script in */*) ;; *) script=./$script ;; esac
    target=$(readlink "$script" && echo /) && target=${target%?/}
    case $target in /*) script=$target ;; *) script=${script%/*}/$target ;; esac
done
case $script in */*) scripts=${script%/*} ;; *) scripts=. ;; esac

# The caller's shell has these for other programs. CDPATH makes cd print. The others change where Python finds modules.
unset CDPATH PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONINSPECT

root=$(cd -- "$scripts/.." && pwd -P && echo /) && root=${root%?/}
venv=${CHATBOOTH_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac

say() { echo "chatbooth: $*" >&2; }
die() { say "$@"; exit 1; }

# Makes sure that a set (runtime, test or dev) is installed and that the stubs are current.
set_up() {
    ( # a subshell, for a trap of its own; its input is not ours to read: it may be the client's messages
        sets_with "$1" >/dev/null
        if ! is_set_up "$1"; then
            lock
            if ! is_set_up "$1"; then # the run that we waited for may have done it
                install_set "$1"
            fi
            unlock
        fi
        "$venv/bin/python" "$root/scripts/gen_protos.py" --if-changed
    ) </dev/null >&2
}

# Becomes a module of the tree. The current folder is the caller's, so nothing is imported from it.
run_module() {
    exec "$venv/bin/python" -c '
import sys
root, module = sys.argv.pop(1), sys.argv.pop(1)
sys.path[:] = [root, *(folder for folder in sys.path if folder)]
import runpy
runpy.run_module(module, run_name="__main__", alter_sys=True)
' "$root" "$@"
}

# Returns whether a set, or one that includes it, was installed from the present files of the tree.
is_set_up() {
    local wanted set
    venv_fits || return 1
    wanted=$(stamp) || return 1
    for set in $(sets_with "$1"); do
        [ "$(cat "$venv/.chatbooth-$set" 2>/dev/null)" != "$wanted" ] || return 0
    done
    return 1
}

sets_with() {
    case $1 in
        runtime) echo runtime test dev ;;
        test) echo test dev ;;
        dev) echo dev ;;
        *) die "no such set: $1 (runtime, test or dev)" ;;
    esac
}

# Prints a digest of all inputs that decide which packages are installed. Fails if the venv's Python does not run.
stamp() {
    "$venv/bin/python" -I - "$root" 2>/dev/null <<'END'
import hashlib, pathlib, sys

root = pathlib.Path(sys.argv[1])
digest = hashlib.sha256(f"{root} {sys.version}".encode())
for name in ("pyproject.toml", "requirements.txt"):
    digest.update((root / name).read_bytes())
print(digest.hexdigest())
END
}

install_set() {
    if ! venv_fits || ! new_enough "$venv/bin/python"; then
        make_venv "$venv"
    fi
    say "installing the packages for $1 into $venv (this takes a minute the first time)"
    case $1 in
        runtime) install_into "$venv" -r "$root/requirements.txt" ;;
        *) install_into "$venv" -e "${root}[$1]" ;;
    esac
    echo "$venv" >"$venv/.chatbooth-place"
    stamp >"$venv/.chatbooth-$1"
}

# Returns whether the venv is one, is in the folder where it was made, and has the Python that PYTHON names. The scripts
# in a venv have the path of its folder.
venv_fits() {
    [ -f "$venv/pyvenv.cfg" ] || return 1
    [ ! -f "$venv/.chatbooth-place" ] || [ "$(cat "$venv/.chatbooth-place")" = "$venv" ] || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of "$venv/bin/python")" ]
}

# Makes a virtual environment that has pip, in a new folder or in place of an older environment.
make_venv() {
    local folder=$1 python
    python=$(find_python)
    if [ -e "$folder" ] && [ ! -f "$folder/pyvenv.cfg" ] && [ -n "$(ls -A "$folder")" ]; then
        die "$folder is not a virtual environment: move it away, or set CHATBOOTH_VENV to another place"
    fi
    say "making $folder"
    rm -rf "$folder"
    "$python" -I -m venv "$folder" >/dev/null 2>&1 && return
    rm -rf "$folder"
    "$python" -I -m venv --without-pip "$folder" >/dev/null 2>&1 && bring_pip "$python" "$folder" && return
    rm -rf "$folder"
    die "$python can make no virtual environment (no ensurepip, no uv, no pip 22.3 or newer);" \
        "on Debian or Ubuntu: apt-get install python3-venv"
}

# Installs pip in a virtual environment without ensurepip, which Debian has in another package than Python.
bring_pip() {
    local python=$1 folder=$2
    command -v uv >/dev/null && uv pip install --quiet --python "$folder/bin/python" pip && return
    "$python" -I -m pip --python "$folder/bin/python" install --quiet --disable-pip-version-check pip 2>/dev/null
}

# Installs into the environment of a folder. The other arguments are those of `pip install`.
install_into() {
    local folder=$1
    shift
    if command -v uv >/dev/null; then
        uv pip install --quiet --python "$folder/bin/python" "$@" && return
        say "uv could not install them; trying pip, which may have other settings"
    fi
    "$folder/bin/python" -I -m pip install --quiet --disable-pip-version-check "$@" || die "installing failed"
}

# Prints the Python to use: PYTHON, or the first that is new enough (macOS's own python3 is 3.9).
find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || die "Python 3.10 or newer is needed; PYTHON ($PYTHON) is $(version_of "$PYTHON")"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    die "Python 3.10 or newer is needed; python3 is $(version_of python3). Set PYTHON to the path of a newer one"
}

new_enough() { "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
version_of() { "$1" -I -c 'import platform; print(platform.python_version())' 2>/dev/null || echo missing; }

# One set-up runs at a time. A server and a client that are started together on a fresh checkout must not both make the
# venv. The lock is a symbolic link, whose target is its owner's process id. The system makes both in one step.
lock() {
    local owner told=
    mkdir -p "${venv%/*}"
    until ln -sn "$$" "$venv.lock" 2>/dev/null; do
        owner=$(readlink "$venv.lock" || true)
        if [ -z "$owner" ]; then
            [ -w "${venv%/*}" ] || die "cannot write into ${venv%/*}"
        elif ! kill -0 "$owner" 2>/dev/null; then
            # The owner was killed.
            rm -f "$venv.lock"
        else
            [ -n "$told" ] || say "another set-up is running; waiting for it"
            told=yes
            sleep 1
        fi
    done
    trap unlock EXIT
}

unlock() {
    trap - EXIT
    rm -f "$venv.lock"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set_up "${1:-runtime}"
fi
