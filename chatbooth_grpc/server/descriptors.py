"""Sharing out the file descriptors that the system allows, and noticing when they run short."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass

from chatbooth_grpc.booth.lasting_state import LastingState

RESERVED = 128
"""Descriptors that are kept for the store and for gRPC itself: a connection that reads the store takes two."""

_MANY = 1_000_000
_CAUTIOUS_LIMIT = 10_240
"""macOS refuses its own hard limit, and allows this."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shares:
    """How many connections each wire may hold."""

    grpc: int
    wire: int


def raise_file_limit() -> int:
    """Let this process hold as many files as the system allows it to; return how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _CAUTIOUS_LIMIT):
        if soft != resource.RLIM_INFINITY and (wanted > soft or wanted == resource.RLIM_INFINITY):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                soft = wanted
    return _MANY if soft == resource.RLIM_INFINITY else min(soft, _MANY)


def shares_of(limit: int, *, grpc: bool, max_wire: int) -> Shares:
    """Share out `limit` descriptors. `max_wire`: the most that the wire wants, 0 if it is not served."""
    left = limit - min(RESERVED, limit // 2)
    wire = min(max_wire, left // 2 if grpc else left)
    if wire < max_wire:
        _log.warning(
            "the limit of open files allows fewer wire connections than --max-connections: raise it with ulimit -n",
            extra={"max_connections": max_wire, "allowed": wire, "open_files": limit},
        )
    return Shares(left - wire if grpc else 0, wire)


class GrpcConnections:
    """Notices when as many gRPC connections are open as may be.

    gRPC closes a connection too many by itself, and tells nobody. So their number is inferred: descriptors are given
    out from the lowest free one, which therefore grows with the connections.
    """

    def __init__(self, most: int, others: Callable[[], int] = lambda: 0) -> None:
        """`most`: how many gRPC may hold. `others`: how many connections there are beside gRPC's."""
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
        """Log that gRPC's connections have run out, or that there is room again."""
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
