"""Serves calls with the help of grpcio's private names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.call_pool import CallPool
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.incomplete_calls import IncompleteCalls


class PooledCalls:
    """How the calls of one server get their threads, as `Calls` describes it."""

    def __init__(self, *, answers: Unread, pushes: Unread, incomplete: IncompleteCalls) -> None:
        self.pools: list[CountedPool] = []
        self._answers = answers
        self._pushes = pushes
        self._incomplete = incomplete

    def pool(self, name: str, threads: int, *, bulkhead: Bulkhead | None = None) -> CountedPool:
        pool = CallPool(
            name,
            threads,
            answers=self._answers,
            pushes=self._pushes,
            incomplete=self._incomplete,
            bulkhead=bulkhead,
        )
        self.pools.append(pool)
        return pool

    def server(
        self,
        default: CountedPool,
        *,
        interceptors: Sequence[grpc.ServerInterceptor],
        options: Sequence[tuple[str, Any]],
        most: int,
    ) -> grpc.Server:
        return grpc.server(default, interceptors=list(interceptors), options=options, maximum_concurrent_rpcs=most)

    def end_late(self) -> None:
        self._incomplete.end_late()
