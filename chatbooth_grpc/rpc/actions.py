"""The action of each gRPC method, as the .proto says."""

from __future__ import annotations

from typing import Any

from chatbooth_grpc._gen import chatbooth_pb2 as pb

_SERVICE = pb.DESCRIPTOR.services_by_name["ChatService"]
# The stubs of extensions and those of options disagree about its type.
_ACTION: Any = pb.action

SERVICE_NAME: str = _SERVICE.full_name

METHODS: dict[str, int] = {
    f"/{_SERVICE.full_name}/{method.name}": method.GetOptions().Extensions[_ACTION] for method in _SERVICE.methods
}
"""The action of each method, by the full path that a call has."""

METHOD_NAMES: dict[int, str] = {
    METHODS[f"/{SERVICE_NAME}/{method.name}"]: method.name for method in _SERVICE.methods if method.name != "SendMany"
}
"""The name of each action's method. An action has one, but SEND, whose other one is SendMany."""

SEND_MANY_METHOD = f"/{SERVICE_NAME}/SendMany"
