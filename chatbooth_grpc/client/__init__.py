"""The client library: `ChatClient` is its public API. gRPC is imported when it connects, not before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatbooth_grpc.booth.model import Gap, Message, MessageBatch
    from chatbooth_grpc.client.chat_client import ChatClient
    from chatbooth_grpc.client.inbox import Batches, Inbox
    from chatbooth_grpc.client.listening import Listening
    from chatbooth_grpc.client.message_ids import new_message_id
    from chatbooth_grpc.client.outbox import Outbox
    from chatbooth_grpc.client.retrying import Retrying
    from chatbooth_grpc.client.transport import Transport

__all__ = [
    "Batches",
    "ChatClient",
    "Gap",
    "Inbox",
    "Listening",
    "Message",
    "MessageBatch",
    "Outbox",
    "Retrying",
    "Transport",
    "new_message_id",
]

_MODULES = {
    "Batches": "client.inbox",
    "ChatClient": "client.chat_client",
    "Gap": "booth.model",
    "Inbox": "client.inbox",
    "Listening": "client.listening",
    "Message": "booth.model",
    "MessageBatch": "booth.model",
    "Outbox": "client.outbox",
    "Retrying": "client.retrying",
    "Transport": "client.transport",
    "new_message_id": "client.message_ids",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: the command line's --help needs none of them."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"chatbooth_grpc.{_MODULES[name]}"), name)
