"""The settings of one server, from its flags and their twins in the environment."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chatbooth_grpc
from chatbooth_grpc.addresses import Host, Peers, look_up
from chatbooth_grpc.booth.client_addresses import Network
from chatbooth_grpc.booth.fair_shares import ShareLimits
from chatbooth_grpc.booth.model import Limits, SignUpPolicy
from chatbooth_grpc.booth.throttles import RateLimits
from chatbooth_grpc.environment import PREFIX, value_of
from chatbooth_grpc.server.encryption import Encryption, encryption_of, refuse_plain_text
from chatbooth_grpc.server.flag_groups import LOG_FORMATS, add_groups
from chatbooth_grpc.server.twins import FlagError, FlagParser


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


@dataclass(frozen=True)
class Endpoint:
    """A host and a port to listen on."""

    host: Host
    port: int


@dataclass(frozen=True)
class Settings:
    """How one server runs. Times are in seconds, sizes in bytes."""

    host: Host
    port: int
    wire_port: int | None
    grpc: bool
    encryption: Encryption | None
    proxy_protocol: Peers
    store: Path
    restored: bool
    insecure: bool
    threads: int
    max_calls: int
    max_connections: int
    max_grpc_connections: int
    max_listeners: int
    max_send_streams: int
    max_listeners_per_account: int
    max_send_streams_per_account: int
    reflection: bool
    idle_timeout: float
    keepalive_time: float
    keepalive_timeout: float
    max_connection_age: float
    drain_grace: float
    limits: Limits
    rates: RateLimits
    shares: ShareLimits
    trusted_addresses: tuple[Network, ...]
    log_level: str
    log_format: str
    metrics: Endpoint | None
    traces: str | None
    trace_sample: float


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
    encryption = encryption_of(parsed, parser.written)
    if encryption is None and not parsed.insecure:
        refuse_plain_text(host, parser.written["host"])
    return Settings(
        host=host,
        port=parsed.port if serves_grpc else 0,
        wire_port=parsed.wire_port,
        grpc=serves_grpc,
        encryption=encryption,
        proxy_protocol=parsed.proxy_protocol,
        store=parsed.store,
        restored=parsed.restored,
        insecure=parsed.insecure,
        threads=parsed.threads,
        max_calls=parsed.max_calls,
        max_connections=parsed.max_connections,
        max_grpc_connections=parsed.max_grpc_connections,
        max_listeners=parsed.max_listeners,
        max_send_streams=parsed.max_send_streams,
        max_listeners_per_account=parsed.max_listeners_per_account,
        max_send_streams_per_account=parsed.max_send_streams_per_account,
        reflection=serves_grpc and parsed.reflection,
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
            max_mailbox=parsed.max_mailbox,
            sign_up=SignUpPolicy(parsed.sign_up),
            reserved_names=parsed.reserved_names,
        ),
        rates=RateLimits(**{name: getattr(parsed, name) for name in RateLimits.__dataclass_fields__}),
        shares=ShareLimits(
            connections=parsed.max_connections_per_address,
            handshakes=parsed.max_handshakes_per_address,
            log_ins=parsed.max_log_ins_per_address,
            incomplete_calls=parsed.max_incomplete_calls_per_address,
            lists=parsed.max_lists_per_account,
        ),
        trusted_addresses=parsed.trusted_addresses,
        log_level=parsed.log_level,
        log_format=parsed.log_format,
        metrics=_metrics(parsed, parser.written["metrics"], resolve),
        traces=parsed.traces,
        trace_sample=parsed.trace_sample,
    )


def _metrics(parsed: argparse.Namespace, written: str, resolve: Callable[..., Any]) -> Endpoint | None:
    """Return where the metrics are served. Raises FlagError if others could read them in plain text."""
    if parsed.metrics is None:
        return None
    name, port = parsed.metrics
    host = look_up(name, resolve)
    if not host.is_loopback and not parsed.insecure:
        raise FlagError(
            f"{written}{host.text(port)} would show the metrics to everyone who reaches that address; give "
            f"127.0.0.1:{port}, or say --insecure (CHATBOOTH_INSECURE=1) if you mean it"
        )
    return Endpoint(host, port)


def wanted_log_format(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """Return the log format that the arguments ask for, even if other flags are wrong."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    # The flag may have no value.
    parser.add_argument("--log-format", nargs="?")
    given, _ = parser.parse_known_args(arguments)
    wanted = given.log_format or value_of(f"{PREFIX}LOG_FORMAT", environment)
    return wanted if wanted in LOG_FORMATS else "text"


def flag_parser(program: Program = MODULE) -> FlagParser:
    """Return the parser of the server's flags."""
    parser = FlagParser(
        program.words,
        description=f"Run the chatbooth server: {program.served}, everything kept in one file.",
        epilog="Every flag has a twin in the environment: --max-text-size is CHATBOOTH_MAX_TEXT_SIZE. The flag wins.",
    )
    add_groups(parser, program.wire_port)
    parser.add_argument("--version", action="version", version=f"chatbooth {chatbooth_grpc.__version__}")
    return parser
