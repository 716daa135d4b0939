"""gRPC's reflection service, by which grpcurl and buf curl need no .proto. Its library is an extra."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2_grpc import add_ServerReflectionServicer_to_server


def add_reflection(server: grpc.Server, services: Iterable[str]) -> None:
    """Let clients ask a server for the description of these services, and of the reflection itself."""
    add_ServerReflectionServicer_to_server(reflection.ReflectionServicer([*services, reflection.SERVICE_NAME]), server)
