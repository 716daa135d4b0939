"""How the command line was called, so that it can say what to type next."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import PurePath

from chatbooth_grpc.server_address import DEFAULT_SERVER, DEFAULT_WIRE_PORT, UNIX, is_loopback, parts_of

_SCRIPT_VARIABLE = "CHATBOOTH_CLIENT_COMMAND"
_MODULE = "chatbooth_grpc.client"
_FIRST_COMMAND_LINE = "main.py"


def program() -> str:
    """Return the words that start this program, as they were typed. A script that starts it gives its own words."""
    if script := os.environ.get(_SCRIPT_VARIABLE):
        return script
    typed = _typed()
    if typed[-2:] == ["-m", _MODULE] or _is_main(typed):
        return shlex.join(typed)
    name = PurePath(sys.argv[0]).name
    if name in {"", "-c", "-m", "__main__.py", _FIRST_COMMAND_LINE}:
        return f"python -m {_MODULE}"
    import shutil

    return name if shutil.which(name) == sys.argv[0] else shlex.quote(sys.argv[0])


def is_first_command_line() -> bool:
    """Return whether main.py runs. It names the server by --host and --port, since its --server starts one."""
    return not os.environ.get(_SCRIPT_VARIABLE) and _is_main(_typed())


def _typed() -> list[str]:
    """Return the words before the arguments."""
    return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]


def _is_main(typed: list[str]) -> bool:
    return typed[-1:] == [sys.argv[0]] and PurePath(sys.argv[0]).name == _FIRST_COMMAND_LINE


def command_line(server: str, *words: str) -> str:
    """Return a command to type, for `server`. Its words are quoted for a shell."""
    return f"{program()} {shlex.join([*_server_flags(server), *words])}"


def _server_flags(server: str) -> list[str]:
    if is_first_command_line():
        parts = parts_of(server)
        host, _, port = parts.place.rpartition(":")
        if parts.place.startswith(UNIX):
            host, port = parts.place, str(DEFAULT_WIRE_PORT)
        tls = ["--tls"] if parts.is_tls and is_loopback(server) else []
        return [*tls, "--host", host] + ([] if port == str(DEFAULT_WIRE_PORT) else ["--port", port])
    return [] if server == DEFAULT_SERVER else ["--server", server]
