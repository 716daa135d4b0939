"""gRPC's standard health service, made safe to watch and to drain."""

from __future__ import annotations

import threading
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool

CHECK_METHOD = "/grpc.health.v1.Health/Check"
HEALTH_SERVICE = "grpc.health.v1.Health"
WATCH_METHOD = "/grpc.health.v1.Health/Watch"


class Health(health.HealthServicer):
    """Answers SERVING until a drain begins, and NOT_SERVING from then on. A drain also ends the watches.

    It answers NOT_SERVING too for as long as the store is not available.

    A watch holds a thread of `watches`. The standard servicer can do without these threads, but it can then freeze the
    whole server when watchers come and go.
    """

    def __init__(self, service: str, watches: CountedPool) -> None:
        super().__init__(experimental_non_blocking=False, experimental_thread_pool=watches)
        self._watchers: set[Any] = set()
        self._guard = threading.Lock()
        # The empty name stands for the server as a whole.
        self._services = ("", service)
        self.say_available(True)

    def say_available(self, is_available: bool) -> None:
        """Answer SERVING or NOT_SERVING to clients that ask or watch. After a drain has begun, this changes nothing."""
        response = health_pb2.HealthCheckResponse
        for service in self._services:
            self.set(service, response.SERVING if is_available else response.NOT_SERVING)

    def Watch(  # noqa: N802  # the .proto names the method
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext, send_response: Any = None
    ) -> Any:
        """Stream the status, and each change of it."""
        watcher = super().Watch(request, context, send_response)
        with self._guard:
            self._watchers.add(watcher)
        try:
            yield from watcher
        finally:
            with self._guard:
                self._watchers.discard(watcher)

    def drain(self) -> None:
        """Send NOT_SERVING to the clients that watch, and end their streams."""
        self.enter_graceful_shutdown()
        with self._guard:
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher.close()
