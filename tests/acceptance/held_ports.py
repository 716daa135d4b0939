"""Keeping the ports of a server that has ended, so that the next one can listen there."""

from __future__ import annotations

import socket
from collections.abc import Iterable

# Most servers are never started again. Their ports are held until these many others have ended.
_MOST = 64

_held: dict[int, socket.socket] = {}


def hold_ports(addresses: Iterable[str]) -> None:
    """Hold the ports of these addresses, such as HOST:PORT, on which nobody listens now.

    The system gives a free port to any connection that another test opens. A port that is bound, even without a
    listener, is given to nobody. A server can still listen there, because it sets SO_REUSEADDR, as this does.
    """
    for address in addresses:
        digits = address.rpartition(":")[2]
        if not digits.isdecimal():
            # The address is a unix socket.
            continue
        port = int(digits)
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", port))
        except OSError:
            # Another program has the port already.
            bound.close()
            continue
        release_port(port)
        _held[port] = bound
        while len(_held) > _MOST:
            release_port(next(iter(_held)))


def release_port(port: int) -> None:
    """Hold a port no more."""
    if port in _held:
        _held.pop(port).close()
