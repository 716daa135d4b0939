"""chatbooth's first command line: the wire protocol's server and its client.

    python main.py --server --port 8080 [the server's flags]
    python main.py --host HOST --port PORT [the client's command]

A port inside --host wins over --port. Everything else is the server's and the client's own: `python -m
chatbooth_grpc.server --help` and `python -m chatbooth_grpc.client --help` list it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from chatbooth_grpc.client.address import DEFAULT_WIRE_PORT, WIRE_SCHEME, normal_address
from chatbooth_grpc.client.exit_codes import FAILED, OK, USAGE
from chatbooth_grpc.streams import open_closed_streams, settle_streams

DEFAULT_HOST = "127.0.0.1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server or the client; return its exit code."""
    open_closed_streams()
    parsed, rest = _parser().parse_known_args(arguments)
    if parsed.help:
        return _help()
    if parsed.server:
        from chatbooth_grpc.server.__main__ import main as serve

        return serve(["--no-grpc", *_server_address(parsed), *rest])
    from chatbooth_grpc.client.__main__ import main as chat

    return chat(["--server", _client_address(parsed), *rest])


def _help() -> int:
    try:
        print(__doc__)
    except OSError:
        return FAILED
    return OK if settle_streams() is None else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python main.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--host", default=DEFAULT_HOST)
    parser.add_argument("--port", type=int)
    parser.add_argument("-h", "--help", action="store_true")
    return parser


def _server_address(parsed: argparse.Namespace) -> list[str]:
    host, port = _host_and_port(parsed)
    return ["--host", host, "--wire-port", str(port)]


def _client_address(parsed: argparse.Namespace) -> str:
    host, port = _host_and_port(parsed)
    bracketed = f"[{host}]" if ":" in host else host
    try:
        return normal_address(f"{WIRE_SCHEME}{bracketed}:{port}")
    except ValueError as error:
        print(f"chatbooth: {error}", file=sys.stderr)
        sys.exit(USAGE)


def _host_and_port(parsed: argparse.Namespace) -> tuple[str, int]:
    """Split a port off the host, where it has one: HOST:PORT or [IPv6]:PORT."""
    host: str = parsed.host
    port: int | None = parsed.port
    name, colon, inside = host.rpartition(":")
    if colon and inside.isascii() and inside.isdigit() and len(inside) < 6 and (name.endswith("]") or ":" not in name):
        if port is not None and port != int(inside):
            print(f"chatbooth: --host names port {inside}; --port {port} is ignored", file=sys.stderr)
        host, port = name, int(inside)
    return host.strip("[]"), DEFAULT_WIRE_PORT if port is None else port


if __name__ == "__main__":
    sys.exit(main())
