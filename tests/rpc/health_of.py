"""The stream of a server's health."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PATIENCE = 40.0


@contextmanager
def watching_health(address: str, service: str = "") -> Iterator[Iterator[int]]:
    """Watch the health of the server at a gRPC address; each status comes when it changes."""
    with grpc.insecure_channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
        yield (answer.status for answer in watch)
        watch.cancel()
