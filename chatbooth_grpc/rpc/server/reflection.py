"""gRPC's reflection service, by which grpcurl and buf curl need no .proto. Its library is an extra."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

# Its stub has no types.
_add: Any = reflection_pb2_grpc.add_ServerReflectionServicer_to_server


def add_reflection(server: grpc.Server, services: Iterable[str]) -> None:
    """Let clients ask a server for the description of these services, and of the reflection itself."""
    _add(reflection.ReflectionServicer([*services, reflection.SERVICE_NAME]), server)
