"""The server's flags, each with its twin in the environment."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import chatbooth_grpc
from chatbooth_grpc.addresses import Host, look_up
from chatbooth_grpc.booth.model import MAX_TEXT_SIZE, Limits
from chatbooth_grpc.environment import PREFIX, value_of
from chatbooth_grpc.server.twins import FlagError, FlagParser
from chatbooth_grpc.server.units import duration, size, whole_number

T = TypeVar("T", int, float)


@dataclass(frozen=True)
class Program:
    """How the user started the server: the words of the command, and the meaning of its --port.

    If `wire_port` is not None, it is the default port of the wire protocol. Then the server serves only that protocol,
    and --port names its port.
    """

    words: str
    wire_port: int | None = None

    @property
    def served(self) -> str:
        """The protocols that this program can serve."""
        return "gRPC and the wire protocol" if self.wire_port is None else "the wire protocol"


MODULE = Program("python -m chatbooth_grpc.server")

DEFAULT_THREADS = 16
"""Measured by bench/pool.py. With a quick disk no number of threads is faster.

Where an fsync takes 5 ms, this is 1.6 times as fast as 8 threads.
"""

_YEAR = 365 * 86_400.0
_LIMITS = Limits()


@dataclass(frozen=True)
class Settings:
    """How one server runs. Times in seconds, sizes in bytes."""

    host: Host
    port: int
    wire_port: int | None
    grpc: bool
    store: Path
    restored: bool
    insecure: bool
    threads: int
    max_calls: int
    max_connections: int
    max_listeners: int
    max_send_streams: int
    idle_timeout: float
    keepalive_time: float
    keepalive_timeout: float
    max_connection_age: float
    drain_grace: float
    limits: Limits
    log_level: str
    log_format: str


def parse_settings(
    arguments: Sequence[str],
    environment: Mapping[str, str] = os.environ,
    program: Program = MODULE,
    resolve: Callable[..., Any] = socket.getaddrinfo,
) -> Settings:
    """Read the settings. A flag wins over its twin. Raises FlagError, or ListenError if the host does not resolve."""
    parser = flag_parser(program)
    parsed = parser.read(arguments, environment)
    serves_grpc = program.wire_port is None and not parsed.no_grpc
    if not serves_grpc and parsed.wire_port is None:
        switch = "--no-grpc" if parser.written["no_grpc"].startswith("-") else f"{parser.written['no_grpc']}1"
        raise FlagError(f"{switch} leaves nothing to serve; give --wire-port (CHATBOOTH_WIRE_PORT) too")
    host = look_up(parsed.host, resolve)
    if not parsed.insecure and not host.is_loopback:
        raise FlagError(
            f"{parser.written['host']}{host.name} would send passwords and messages in plain text over the network; "
            "put a TLS proxy in front and keep 127.0.0.1, or say --insecure (CHATBOOTH_INSECURE=1) if you mean it"
        )
    return Settings(
        host=host,
        port=parsed.port if serves_grpc else 0,
        wire_port=parsed.wire_port,
        grpc=serves_grpc,
        store=parsed.store,
        restored=parsed.restored,
        insecure=parsed.insecure,
        threads=parsed.threads,
        max_calls=parsed.max_calls,
        max_connections=parsed.max_connections,
        max_listeners=parsed.max_listeners,
        max_send_streams=parsed.max_send_streams,
        idle_timeout=parsed.idle_timeout,
        keepalive_time=parsed.keepalive_time,
        keepalive_timeout=parsed.keepalive_timeout,
        max_connection_age=parsed.max_connection_age,
        drain_grace=parsed.drain_grace,
        limits=Limits(
            text_size=parsed.max_text_size,
            session_expiry=parsed.session_expiry,
            name_hold=parsed.name_hold,
            retain=parsed.retain,
        ),
        log_level=parsed.log_level,
        log_format=parsed.log_format,
    )


def wanted_log_format(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """Return the log format that the arguments ask for, even if other flags are wrong."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    # The flag may have no value.
    parser.add_argument("--log-format", nargs="?")
    given, _ = parser.parse_known_args(arguments)
    wanted = given.log_format or value_of(f"{PREFIX}LOG_FORMAT", environment)
    return "json" if wanted == "json" else "text"


def flag_parser(program: Program = MODULE) -> FlagParser:
    """Return the parser of the server's flags."""
    parser = FlagParser(
        program.words,
        description=f"Run the chatbooth server: {program.served}, everything kept in one file.",
        epilog="Every flag has a twin in the environment: --max-text-size is CHATBOOTH_MAX_TEXT_SIZE. The flag wins.",
    )
    add = parser.add_argument
    add(
        "--host",
        type=_host,
        default="127.0.0.1",
        help="address to listen on, or a name of it; localhost is 127.0.0.1 and ::1 (default: %(default)s)",
    )
    _add_ports(parser, program)
    add(
        "--store",
        type=Path,
        default=Path("chatbooth.db"),
        metavar="FILE",
        help="where all is kept (default: %(default)s)",
    )
    add(
        "--restored",
        action="store_true",
        help="for one start, after the store was put back in a way that the server cannot notice, as from a snapshot "
        "of the whole disk: clients learn that messages may be missing",
    )
    add(
        "--insecure",
        action="store_true",
        help="allow plain text on an address that others can reach",
    )
    add(
        "--threads",
        type=_within(whole_number, 1, 1_000),
        default=DEFAULT_THREADS,
        help="threads that answer calls; log-ins and lists have their own (default: %(default)s)",
    )
    add(
        "--max-calls",
        type=_within(whole_number, 16, 1_000_000),
        default=2_000,
        help="calls in progress or waiting before more are refused (default: %(default)s)",
    )
    add(
        "--max-connections",
        type=_within(whole_number, 1, 1_000_000),
        default=4_000,
        help="wire connections, each with a thread, before more are refused (default: %(default)s)",
    )
    add(
        "--max-listeners",
        type=_within(whole_number, 1, 1_000_000),
        default=20_000,
        help="open Listen streams before more are refused (default: %(default)s)",
    )
    add(
        "--max-send-streams",
        type=_within(whole_number, 1, 10_000),
        default=64,
        help="open SendMany streams before more are refused (default: %(default)s)",
    )
    add(
        "--max-text-size",
        type=_within(size, 1, MAX_TEXT_SIZE),
        default=_LIMITS.text_size,
        metavar="SIZE",
        help="largest text of a message, in bytes or with KiB, MiB (default: 1MiB, at most 16MiB)",
    )
    add(
        "--session-expiry",
        type=_within(duration, 1, 10 * _YEAR),
        default=_LIMITS.session_expiry,
        metavar="TIME",
        help="end a session unused for this long, in seconds or with m, h, d (default: 30d)",
    )
    add(
        "--name-hold",
        type=_within(duration, 0, 10 * _YEAR),
        default=_LIMITS.name_hold,
        metavar="TIME",
        help="keep a deleted account's name from being taken for this long; 0 frees it at once (default: 30d)",
    )
    add(
        "--retain",
        type=_within(duration, 0, 10 * _YEAR),
        default=_LIMITS.retain,
        metavar="TIME",
        help="remove a message this long after it was accepted, but never before a session of its recipient has "
        "acknowledged it; 0 removes it once every live session has (default: 30d)",
    )
    add(
        "--idle-timeout",
        type=_within(duration, 1, _YEAR),
        default=600.0,
        metavar="TIME",
        help="close a connection that carries no call for this long; its session lives on, an open Listen counts as "
        "use (default: 10m)",
    )
    add(
        "--keepalive-time",
        type=_within(duration, 1, _YEAR),
        default=60.0,
        metavar="TIME",
        help="ask a silent client after this long whether it is still there (default: 60s)",
    )
    add(
        "--keepalive-timeout",
        type=_within(duration, 0.1, 3_600),
        default=20.0,
        metavar="TIME",
        help="give up a client that does not answer within this, frozen or cut off (default: 20s)",
    )
    add(
        "--max-connection-age",
        type=_within(duration, 0, _YEAR),
        default=0.0,
        metavar="TIME",
        help="have clients connect anew after this long; 0 leaves connections alone (default: 0)",
    )
    add(
        "--drain-grace",
        type=_within(duration, 0, 3_600),
        default=10.0,
        metavar="TIME",
        help="time that calls in progress get to finish when the server is told to stop (default: 10s)",
    )
    add(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="(default: %(default)s)",
    )
    add("--log-format", choices=["text", "json"], default="text", help="(default: %(default)s)")
    add("--version", action="version", version=f"chatbooth {chatbooth_grpc.__version__}")
    return parser


def _add_ports(parser: FlagParser, program: Program) -> None:
    """Add the flags that say which protocols the server serves, and on which ports."""
    port = _within(whole_number, 0, 65_535)
    if program.wire_port is not None:
        parser.add_argument(
            "--port",
            dest="wire_port",
            type=port,
            default=program.wire_port,
            metavar="PORT",
            help="port; 0 takes a free one; in the environment CHATBOOTH_WIRE_PORT (default: %(default)s)",
        )
        return
    parser.add_argument("--port", type=port, default=50051, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--wire-port",
        type=port,
        metavar="PORT",
        help="serve the wire protocol too, on this port; 0 takes a free one (default: off)",
    )
    parser.add_argument("--no-grpc", action="store_true", help="serve the wire protocol alone")


def _host(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the address is missing")
    return text.strip()


def _within(read: Callable[[str], T], lowest: T, highest: T) -> Callable[[str], T]:
    """Return a function that reads as `read` does, and refuses values outside the bounds."""

    def read_within(text: str) -> T:
        value = read(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"{text} is not within {lowest:,} and {highest:,}")
        return value

    return read_within
