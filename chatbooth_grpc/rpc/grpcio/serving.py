"""Chooses between grpcio's private names and its public API for serving calls."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import grpc

from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.expectations import differences
from chatbooth_grpc.rpc.grpcio.incomplete_calls import IncompleteCalls

_log = logging.getLogger(__name__)


class Calls(Protocol):
    """How the calls of one server get their threads."""

    @property
    def pools(self) -> Sequence[CountedPool]:
        """Every pool, in the order in which they were made."""

    def pool(self, name: str, threads: int, *, bulkhead: Bulkhead | None = None) -> CountedPool:
        """Make a pool for calls."""

    def server(
        self,
        default: CountedPool,
        *,
        interceptors: Sequence[grpc.ServerInterceptor],
        options: Sequence[tuple[str, Any]],
        most: int,
    ) -> grpc.Server:
        """Make a gRPC server whose calls run on `default` if they are not placed on another pool.

        `most` is how many calls may be open at once.
        """

    def end_late(self) -> None:
        """End the calls whose request is overdue. Call this about once a second."""


def calls_for(*, answers: Unread, pushes: Unread, incomplete: IncompleteCalls) -> Calls:
    """Return how a server's calls are served by the installed grpcio.

    `answers` holds each message that ends a call, and `pushes` all others, until the client has taken it.
    `incomplete` ends the calls whose requests do not come.
    """
    different = differences()
    if different:
        from chatbooth_grpc.rpc.grpcio.plain_calls import PlainCalls

        _log.warning(
            "this grpcio is not as expected: each open call holds a thread, and sending is slower",
            extra={"grpcio": grpc.__version__, "different": ", ".join(different)},
        )
        return PlainCalls(answers=answers, pushes=pushes, incomplete=incomplete)
    # This module imports private names, so it is loaded only where they are.
    from chatbooth_grpc.rpc.grpcio.pooled_calls import PooledCalls

    return PooledCalls(answers=answers, pushes=pushes, incomplete=incomplete)
