"""chatbooth's first command line: the wire protocol's server and its client.

    python main.py --server --port 8080 [the server's flags]
    python main.py [--tls] --host HOST --port PORT [the client's command]

A port inside --host wins over --port. The client's --host, --port and --tls stand before the
command. Without --tls, the client uses TLS with every other machine, unless --insecure allows plain text.
`python main.py --server --help` lists the server's flags, and `python main.py COMMAND --help` a command's. The client's
commands:

    {commands}
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from chatbooth_grpc.client.commands.table import COMMANDS
from chatbooth_grpc.client.failures.exit_codes import FAILED, OK, USAGE
from chatbooth_grpc.environment import is_on
from chatbooth_grpc.server_address import (
    DEFAULT_WIRE_PORT,
    UNIX,
    WIRE_SCHEME,
    WIRE_TLS_SCHEME,
    is_loopback,
    normal_address,
)
from chatbooth_grpc.streams import open_closed_streams, settle_streams

DEFAULT_HOST = "127.0.0.1"

# Flags that may stand before a command and have no value.
_SWITCHES = {"--server", "--tls", "--insecure", "-h", "--help", "--json", "-q", "--quiet", "--version"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server or the client, and return its exit code."""
    open_closed_streams()
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    command = _command_index(words)
    parsed, rest = _client_parser().parse_known_args(words[:command])
    if parsed.server:
        return _serve(*_parser().parse_known_args(words))
    if parsed.help:
        return _help()
    from chatbooth_grpc.client.__main__ import main as chat

    insecure = ["--insecure"] if parsed.insecure else []
    return chat(["--server", _client_address(parsed), *insecure, *rest, *words[command:]])


def _command_index(words: Sequence[str]) -> int:
    """Return the index of the client's command. Words after it are for the client alone, because one may be a text."""
    index = 0
    while index < len(words) and words[index].startswith("-"):
        index += 1 if words[index] in _SWITCHES or "=" in words[index] else 2
    return min(index, len(words))


def _help() -> int:
    try:
        print(__doc__.format(commands=", ".join(COMMANDS)))
    except OSError:
        return FAILED
    return OK if settle_streams() is None else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python main.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--server", action="store_true")
    # The server or the client refuses a value that is missing or wrong, in its own words.
    parser.add_argument("--host", nargs="?", const="")
    parser.add_argument("--port", nargs="?", const="")
    parser.add_argument("-h", "--help", action="store_true")
    return parser


def _client_parser() -> argparse.ArgumentParser:
    """Return the parser of the words before the client's command. The server has flags of these names too."""
    parser = _parser()
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--insecure", action="store_true")
    return parser


def _serve(parsed: argparse.Namespace, rest: Sequence[str]) -> int:
    from chatbooth_grpc.server.__main__ import main as serve
    from chatbooth_grpc.server.flags import Program

    host, port, warnings = _host_and_port(parsed)
    given = [f"{flag}={value}" for flag, value in (("--host", host), ("--port", port)) if value is not None]
    asked = ["--help"] if parsed.help else []
    program = Program("python main.py --server", wire_port=DEFAULT_WIRE_PORT)
    return serve([*given, *rest, *asked], program, warnings)


def _client_address(parsed: argparse.Namespace) -> str:
    host, port, warnings = _host_and_port(parsed)
    host = DEFAULT_HOST if host is None else host
    for warning in warnings:
        _say(warning)
    try:
        if host.startswith(UNIX):
            return normal_address(f"wire+{host}")
        bracketed = f"[{host}]" if ":" in host else host
        address = normal_address(f"{WIRE_SCHEME}{bracketed}:{DEFAULT_WIRE_PORT if port is None else port}")
        # Another machine is spoken to over TLS, unless plain text is allowed.
        is_insecure = parsed.insecure or is_on("CHATBOOTH_INSECURE", os.environ)
        is_plain = not parsed.tls and (is_insecure or is_loopback(address))
        return address if is_plain else WIRE_TLS_SCHEME + address.removeprefix(WIRE_SCHEME)
    except ValueError as error:
        _say(str(error))
        settle_streams()
        sys.exit(USAGE)


def _say(words: str) -> None:
    # A caller that cannot read the words still gets the exit code.
    with contextlib.suppress(OSError):
        print(f"chatbooth: {words}", file=sys.stderr)


def _host_and_port(parsed: argparse.Namespace) -> tuple[str | None, str | None, list[str]]:
    """Split a port off the host, if it has one: HOST:PORT or [IPv6]:PORT. Return host, port and warnings."""
    host: str | None = parsed.host
    port: str | None = parsed.port
    if host is None:
        return None, port, []
    name, colon, inside = host.rpartition(":")
    if not (colon and inside.isascii() and inside.isdigit() and (name.endswith("]") or ":" not in name)):
        return host.strip("[]"), port, []
    warnings = [] if port in (None, inside) else [f"--host names port {inside}; --port {port} is ignored"]
    return name.strip("[]"), inside, warnings


if __name__ == "__main__":
    sys.exit(main())
