"""Divides the allowed file descriptors among the protocols."""

from __future__ import annotations

import contextlib
import logging
import resource
from dataclasses import dataclass

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
