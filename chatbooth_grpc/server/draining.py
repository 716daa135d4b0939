"""Ending a server: first its own threads, then the streams, the calls and the connections."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from chatbooth_grpc.server.signals import Signals


class Stoppable(Protocol):
    """A part of a server that has a thread of its own."""

    def stop(self) -> None: ...


class _GrpcServer(Protocol):
    def drain(self) -> None: ...

    def cut_short(self) -> None: ...


class _WireServer(Protocol):
    def drain(self, grace: float) -> None: ...

    def cut_short(self) -> None: ...


class _Switchboard(Protocol):
    def drain(self, grace: float) -> None: ...


def drain(
    grace: float,
    signals: Signals,
    servers: tuple[_GrpcServer | None, _WireServer | None],
    switchboard: _Switchboard,
    stopped_first: Sequence[Stoppable | None],
) -> None:
    """End everything but the store: first `stopped_first`, then the streams, the calls and the connections.

    This takes about `grace` seconds at most. A second signal cuts it short.
    """
    grpc, wire = servers

    def cut_short() -> None:
        for server in servers:
            if server:
                server.cut_short()

    signals.watch_drain(cut_short)
    deadline = time.monotonic() + grace
    stop(*stopped_first)
    if grpc:
        grpc.drain()
    else:
        switchboard.drain(grace / 2)
    if wire:
        wire.drain(max(1.0, deadline - time.monotonic()))


def stop(*parts: Stoppable | None) -> None:
    """Stop the parts that this server has."""
    for part in parts:
        if part:
            part.stop()
