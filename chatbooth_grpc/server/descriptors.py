"""Divides the allowed file descriptors, and notices when they run short."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass

from chatbooth_grpc.booth.lasting_state import LastingState

RESERVED = 128
"""Descriptors that are reserved for the store and for gRPC itself. A connection that reads the store takes two."""

_MANY = 1_000_000
_CAUTIOUS_LIMIT = 10_240
"""macOS refuses its own hard limit, but allows this one."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shares:
    """How many connections each wire may hold."""

    grpc: int
    wire: int


def raise_file_limit() -> int:
    """Raise the limit of open files as far as the system allows. Return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _CAUTIOUS_LIMIT):
        if soft != resource.RLIM_INFINITY and (wanted > soft or wanted == resource.RLIM_INFINITY):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                soft = wanted
    return _MANY if soft == resource.RLIM_INFINITY else min(soft, _MANY)


def shares_of(limit: int, *, grpc: bool, max_wire: int) -> Shares:
    """Divide `limit` descriptors. `max_wire` is the most that the wire wants, or 0 if it is not served."""
    left = limit - min(RESERVED, limit // 2)
    wire = min(max_wire, left // 2 if grpc else left)
    if wire < max_wire:
        _log.warning(
            "the limit of open files allows fewer wire connections than --max-connections: raise it with ulimit -n",
            extra={"max_connections": max_wire, "allowed": wire, "open_files": limit},
        )
    return Shares(left - wire if grpc else 0, wire)


class GrpcConnections:
    """Notices when the largest allowed number of gRPC connections is open.

    gRPC itself closes each connection beyond that number, and does not report it. So this class infers the number. The
    system always assigns the lowest free descriptor, so that descriptor grows with the connections.
    """

    def __init__(self, most: int, others: Callable[[], int] = lambda: 0) -> None:
        """`most` is how many connections gRPC may hold. `others` returns how many connections other protocols hold."""
        self.most = most
        self._others = others
        self._base = 0
        self._crowded = LastingState(
            _log,
            "new gRPC connections are refused: close idle clients, or raise the limit of open files with ulimit -n",
            "new gRPC connections are taken again",
        )

    def begin(self) -> None:
        """Note how many descriptors are in use before the first connection."""
        self._base = _lowest_free() - self._others()

    def look(self) -> None:
        """Log when gRPC refuses connections, and when it accepts them again."""
        try:
            are_few = _lowest_free() - self._base - self._others() < self.most
        except OSError:
            are_few = False
        if are_few:
            self._crowded.worked()
        else:
            self._crowded.refused(f"about {self.most:,} connections are open, and no descriptor is left for more", 0)


def _lowest_free() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.close(descriptor)
    return descriptor
