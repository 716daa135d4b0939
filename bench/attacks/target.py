"""The server that is attacked, and how its attackers and its honest clients reach it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

ATTACKER = "127.0.0.2"
"""The address of an attacker. Honest clients come from 127.0.0.1, and the server trusts neither."""

PASSWORD = "password"  # noqa: S105
_CONNECT_TIMEOUT = 1.0
VICTIM = "victim"
"""An account of an honest person, to which attackers try to log in."""


class Target(NamedTuple):
    """All that an attacker knows. An address of the server is HOST:PORT, also that of the wire protocol."""

    grpc: str
    wire: str
    metrics: str
    token: bytes
    """The attacker's own session."""
    username: str
    """The attacker's own account."""


Attacker = Callable[[Target, int], Iterator[None]]
"""Attacks until its process ends, with a number of calls or connections. Yields after each round.

The first round is over when the attack has its full strength.
"""


def address_pair(address: str) -> tuple[str, int]:
    """Return the host and the port of HOST:PORT."""
    host, _, port = address.rpartition(":")
    return host, int(port)


def connect(address: str, source: str = ATTACKER) -> socket.socket:
    """Connect from `source` to HOST:PORT. Raises OSError, also if the server drops the packets."""
    connected = socket.create_connection(address_pair(address), _CONNECT_TIMEOUT, source_address=(source, 0))
    connected.settimeout(None)
    return connected


def other_address(number: int) -> str:
    """Return another address for each number, up to a few million. All are addresses of this machine."""
    return f"127.{16 + (number >> 16) % 200}.{number >> 8 & 0xFF}.{number & 0xFF}"
