"""The server's flags: one function for each group that --help shows."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from chatbooth_grpc.addresses import NOBODY, Peers, read_peers
from chatbooth_grpc.booth.client_addresses import LOOPBACK, Network, read_networks
from chatbooth_grpc.booth.errors import InvalidUsername
from chatbooth_grpc.booth.fair_shares import ShareLimits
from chatbooth_grpc.booth.model import MAX_TEXT_SIZE, Limits, SignUpPolicy
from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.booth.rules import folded_username
from chatbooth_grpc.booth.throttles import DEFAULT_RATES, MOST_IN_A_BATCH
from chatbooth_grpc.durations import duration
from chatbooth_grpc.server.traces import DEFAULT_RATIO, read_ratio, read_receiver
from chatbooth_grpc.server.units import rate, size, whole_number

T = TypeVar("T", int, float)

DEFAULT_THREADS = 16
"""bench/pool.py measured this. With a quick disk no other number of threads is faster.

If an fsync takes 5 ms, 16 threads are 1.6 times as fast as 8.
"""

STANDARD_RESERVED_NAMES = frozenset(
    (
        *("abuse", "admin", "administrator", "bot", "chatbooth", "help", "hostmaster", "info", "moderator"),
        *("noreply", "postmaster", "root", "security", "server", "staff", "support", "system", "webmaster"),
    )
)
"""Names that could be mistaken for the server's own."""

# The word that stands for these names.
_STANDARD = "standard"

LOG_FORMATS = ("text", "json", "journal")

_MAX_PORT = 65_535
_YEAR = 365 * 86_400.0
_LIMITS = Limits()
_SHARES = ShareLimits()


class _Group(Protocol):
    """A group of flags of argparse, which --help shows under a title."""

    def add_argument(self, *flags: str, **settings: Any) -> argparse.Action: ...


def add_groups(parser: argparse.ArgumentParser, wire_port: int | None) -> None:
    """Add all groups. If `wire_port` is not None, the wire protocol is served alone, and --port names its port."""
    listening = parser.add_argument_group("listening")
    _add_host(listening)
    if wire_port is None:
        _add_ports(listening)
    else:
        _add_only_port(listening, wire_port)
    _add_encryption(parser.add_argument_group("encryption"))
    _add_storage(parser.add_argument_group("storage"))
    _add_accounts(parser.add_argument_group("accounts and sessions"))
    _add_limits(parser.add_argument_group("limits"))
    _add_shares(parser.add_argument_group("shares"))
    _add_rates(parser.add_argument_group("rates"))
    _add_connections(parser.add_argument_group("connections"))
    _add_monitoring(parser.add_argument_group("monitoring"))


def _add_host(group: _Group) -> None:
    group.add_argument(
        "--host",
        type=_host,
        default="127.0.0.1",
        help="address to listen on, or a name of it; localhost is 127.0.0.1 and ::1; unix:PATH is a socket of this "
        "machine, and its ports do not count (default: %(default)s)",
    )
    group.add_argument(
        "--proxy-protocol",
        type=_peers,
        default=NOBODY,
        metavar="FROM",
        help="addresses or networks of proxies, or unix, with commas between; a wire connection from there must begin "
        "with a PROXY header, versions 1 or 2, which names the client (default: off)",
    )


def _peers(text: str) -> Peers:
    try:
        return read_peers(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of addresses, networks and unix") from error


def _add_ports(group: _Group) -> None:
    """Add the flags that say which protocols the server serves, and on which ports."""
    port = _within(whole_number, 0, 65_535)
    group.add_argument("--port", type=port, default=50051, help="port; 0 takes a free one (default: %(default)s)")
    group.add_argument(
        "--wire-port",
        type=port,
        metavar="PORT",
        help="serve the wire protocol too, on this port; 0 takes a free one (default: off)",
    )
    group.add_argument("--no-grpc", action="store_true", help="serve the wire protocol alone")
    group.add_argument(
        "--reflection",
        action="store_true",
        help="describe the service to clients of gRPC that ask, so that grpcurl and buf curl need no .proto",
    )


def _add_only_port(group: _Group, wire_port: int) -> None:
    group.add_argument(
        "--port",
        dest="wire_port",
        type=_within(whole_number, 0, 65_535),
        default=wire_port,
        metavar="PORT",
        help="port; 0 takes a free one; in the environment CHATBOOTH_WIRE_PORT (default: %(default)s)",
    )


def _add_encryption(group: _Group) -> None:
    group.add_argument(
        "--tls",
        choices=["auto", "off"],
        help="auto: encrypt by TLS, with a certificate that the server makes once and keeps beside the store; clients "
        "trust it by its fingerprint (default: off, or TLS if --tls-cert is given)",
    )
    group.add_argument(
        "--tls-cert",
        type=Path,
        metavar="FILE",
        help="encrypt by TLS, with the certificate in this PEM file, which holds those up to the authority too; it is "
        "read again when it changes",
    )
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="the private key of --tls-cert, in PEM")
    group.add_argument(
        "--tls-client-ca",
        type=Path,
        metavar="FILE",
        help="accept only clients with a certificate of one of the authorities in this PEM file",
    )
    group.add_argument(
        "--insecure",
        action="store_true",
        help="allow plain text on an address that others can reach",
    )


def _add_storage(group: _Group) -> None:
    group.add_argument(
        "--store",
        type=Path,
        default=Path("chatbooth.db"),
        metavar="FILE",
        help="where all is kept (default: %(default)s)",
    )
    group.add_argument(
        "--restored",
        action="store_true",
        help="for one start, after the store was put back in a way that the server cannot notice, as from a snapshot "
        "of the whole disk: clients learn that messages may be missing",
    )
    words = (
        "remove a message this long after it was accepted, but never before a session of its recipient has "
        "acknowledged it; 0 removes it once every live session has (default: 30d)"
    )
    _add_time(group, "--retain", _LIMITS.retain, (0, 10 * _YEAR), words)


def _add_accounts(group: _Group) -> None:
    words = "end a session unused for this long, in seconds or with m, h, d (default: 30d)"
    _add_time(group, "--session-expiry", _LIMITS.session_expiry, (1, 10 * _YEAR), words)
    words = "keep a deleted account's name from being taken for this long; 0 frees it at once (default: 30d)"
    _add_time(group, "--name-hold", _LIMITS.name_hold, (0, 10 * _YEAR), words)
    group.add_argument(
        "--sign-up",
        choices=[policy.value for policy in SignUpPolicy],
        default=_LIMITS.sign_up.value,
        help="who can make an account: anyone, whoever has a code of chatbooth-admin invite, or nobody "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--reserved-names",
        type=_names,
        default=STANDARD_RESERVED_NAMES,
        metavar="NAMES",
        help="names that nobody can take at sign-up, with commas between; standard stands for admin, support and other "
        "names that look like the server's own; empty reserves none (default: standard)",
    )


def _names(text: str) -> frozenset[str]:
    """Return the usernames of a list with commas, in lower case."""
    try:
        names = frozenset(folded_username(name.strip()) for name in text.split(",") if name.strip())
    except InvalidUsername as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of usernames with commas between") from error
    return names - {_STANDARD} | STANDARD_RESERVED_NAMES if _STANDARD in names else names


def _add_limits(group: _Group) -> None:
    words = "threads that answer calls; log-ins and lists have their own"
    _add_number(group, "--threads", DEFAULT_THREADS, (1, 1_000), words)
    _add_number(group, "--max-calls", 2_000, (16, 1_000_000), "calls in progress or waiting before more are refused")
    words = "wire connections, each with a thread, before more are refused"
    _add_number(group, "--max-connections", 4_000, (1, 1_000_000), words)
    words = "gRPC connections before more are closed at once"
    _add_number(group, "--max-grpc-connections", 20_000, (1, 1_000_000), words)
    _add_number(group, "--max-listeners", 20_000, (1, 1_000_000), "open Listen streams before more are refused")
    _add_number(group, "--max-send-streams", 64, (1, 10_000), "open SendMany streams before more are refused")
    words = "messages that nobody has acknowledged in one mailbox before more are refused; 0 sets no limit"
    _add_number(group, "--max-mailbox", _LIMITS.max_mailbox, (0, 1_000_000_000), words)
    group.add_argument(
        "--max-text-size",
        type=_within(size, 1, MAX_TEXT_SIZE),
        default=_LIMITS.text_size,
        metavar="SIZE",
        help="largest text of a message, in bytes or with KiB, MiB (default: 1MiB, at most 16MiB)",
    )


def _add_shares(group: _Group) -> None:
    """Add the limits on how much one account or address may take at once."""
    words = "open Listen streams of one account before more are refused"
    _add_number(group, "--max-listeners-per-account", 32, (1, 1_000_000), words)
    words = "open SendMany streams of one account before more are refused"
    _add_number(group, "--max-send-streams-per-account", 8, (1, 10_000), words)
    words = "lists of one account that run or wait before more are refused"
    _add_number(group, "--max-lists-per-account", _SHARES.lists, (1, 10_000), words)
    words = "log-ins and other calls with a password of one address that run or wait before more are refused"
    _add_number(group, "--max-log-ins-per-address", _SHARES.log_ins, (1, 10_000), words)
    words = "handshakes of TLS of one wire client's address at once before more are refused"
    _add_number(group, "--max-handshakes-per-address", _SHARES.handshakes, (1, 1_000_000), words)
    words = "gRPC calls of one address whose requests have not come before more are refused"
    _add_number(group, "--max-incomplete-calls-per-address", _SHARES.incomplete_calls, (1, 1_000_000), words)
    words = "connections of one address over each wire before more are refused, or closed over gRPC"
    _add_number(group, "--max-connections-per-address", _SHARES.connections, (1, 1_000_000), words)


def _add_rates(group: _Group) -> None:
    """Add the limits on how often something may be done."""
    words = (
        "requests of one address, other than messages; a rate is COUNT/TIME or COUNT/TIME:BURST, and 0 is no limit "
        "(default: 200/s:2000)"
    )
    _add_rate(group, "requests-per-address", words)
    _add_rate(group, "connections-per-address", "new wire connections of one address (default: 20/s:256)")
    _add_rate(group, "sign-ups-per-address", "sign-ups from one address (default: 10/h)")
    _add_rate(group, "log-ins-per-address", "log-ins from one address, right or wrong (default: 60/m)")
    words = "wrong passwords for one account from one address (default: 20/h:10)"
    _add_rate(group, "failed-log-ins-per-address", words)
    words = "wrong passwords for one account from all addresses but those from which it has logged in (default: 200/h)"
    _add_rate(group, "failed-log-ins-per-account", words)
    words = f"messages of one account; the burst is at least {MOST_IN_A_BATCH:,} (default: 1000/s:20000)"
    _add_rate(group, "sends-per-account", words, _sends_rate)
    group.add_argument(
        "--trusted-addresses",
        type=_networks,
        default=LOOPBACK,
        metavar="NETWORKS",
        help="networks, separated by commas, loopback or none: the limits for each address leave their clients out, "
        "since a reverse proxy would make one client of all (default: loopback)",
    )


def _add_rate(group: _Group, name: str, words: str, read: Callable[[str], Rate | None] = rate) -> None:
    """Add a flag for a rate. `words` name its default."""
    default = getattr(DEFAULT_RATES, name.replace("-", "_"))
    group.add_argument(f"--{name}", type=read, default=default, metavar="RATE", help=words)


def _sends_rate(text: str) -> Rate | None:
    read = rate(text)
    if read is not None and read.burst < MOST_IN_A_BATCH:
        raise argparse.ArgumentTypeError(f"{text} allows no batch; write {text.partition(':')[0]}:{MOST_IN_A_BATCH}")
    return read


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return () if text.strip() == "none" else read_networks(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; write networks such as 10.0.0.0/8,fd00::/8") from None


def _add_connections(group: _Group) -> None:
    words = (
        "close a connection that carries no call for this long; its session lives on, an open Listen counts as use "
        "(default: 10m)"
    )
    _add_time(group, "--idle-timeout", 600.0, (1, _YEAR), words)
    words = "ask a silent client after this long whether it is still there (default: 60s)"
    _add_time(group, "--keepalive-time", 60.0, (1, _YEAR), words)
    words = "give up a client that does not answer within this, frozen or cut off (default: 20s)"
    _add_time(group, "--keepalive-timeout", 20.0, (0.1, 3_600), words)
    words = "have clients connect anew after this long; 0 leaves connections alone (default: 0)"
    _add_time(group, "--max-connection-age", 0.0, (0, _YEAR), words)
    words = "time that calls in progress get to finish when the server stops (default: 10s)"
    _add_time(group, "--drain-grace", 10.0, (0, 3_600), words)


def _add_monitoring(group: _Group) -> None:
    levels = ["debug", "info", "warning", "error"]
    group.add_argument("--log-level", choices=levels, default="info", help="(default: %(default)s)")
    group.add_argument(
        "--log-format",
        choices=LOG_FORMATS,
        default="text",
        help="journal is text with priorities for systemd's journal, and text is journal if stderr is the journal "
        "(default: %(default)s)",
    )

    group.add_argument(
        "--metrics",
        type=_address,
        metavar="HOST:PORT",
        help="answer Prometheus at this address, by plain HTTP: http://HOST:PORT/metrics; port 0 takes a free one "
        "(default: off)",
    )
    group.add_argument(
        "--traces",
        type=read_receiver,
        metavar="URL",
        help="send traces of OpenTelemetry to this receiver, by OTLP over HTTP, such as http://127.0.0.1:4318; env "
        "takes the receiver that OTEL_EXPORTER_OTLP_ENDPOINT names (default: off)",
    )
    group.add_argument(
        "--trace-sample",
        type=read_ratio,
        default=DEFAULT_RATIO,
        metavar="PART",
        help="the part of calls and messages to trace, from 0 to 1, beside those whose client traces them (default: "
        "%(default)s)",
    )


def _add_number(group: _Group, flag: str, default: int, bounds: tuple[int, int], words: str) -> None:
    read = _within(whole_number, *bounds)
    group.add_argument(flag, type=read, default=default, help=f"{words} (default: %(default)s)")


def _add_time(group: _Group, flag: str, default: float, bounds: tuple[float, float], words: str) -> None:
    """Add a flag for a time. `words` name its default with a unit, since the value is in seconds."""
    group.add_argument(flag, type=_within(duration, *bounds), default=default, metavar="TIME", help=words)


def _address(text: str) -> tuple[str, int]:
    """Read HOST:PORT. IPv6 is in brackets."""
    host, _, port = text.strip().rpartition(":")
    if not host or (":" in host and not host.startswith("[")) or not port.isdecimal() or int(port) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")
    return host, int(port)


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
