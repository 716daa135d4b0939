"""Which action each gRPC method performs, as the .proto says."""

from __future__ import annotations

from typing import Any

from chatbooth_grpc._gen import chatbooth_pb2 as pb

_SERVICE = pb.DESCRIPTOR.services_by_name["ChatService"]
_ACTION: Any = pb.action  # typed loosely: the stubs of extensions and of options do not agree

SERVICE_NAME: str = _SERVICE.full_name

METHODS: dict[str, int] = {
    f"/{_SERVICE.full_name}/{method.name}": method.GetOptions().Extensions[_ACTION] for method in _SERVICE.methods
}
"""The action of each method, by its full path as it stands in a call."""

SEND_MANY_METHOD = f"/{SERVICE_NAME}/SendMany"
