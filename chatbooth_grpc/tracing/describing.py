"""The names and attributes by which spans describe calls, messages and their outcomes.

They follow OpenTelemetry's conventions for RPC and messaging where those have a name. No span has a username, a peer's
address, a text, a token or a password. A span names accounts and sessions by their numbers.
"""

from __future__ import annotations

from uuid import UUID

from google.rpc.code_pb2 import Code

from chatbooth_grpc.booth.actions import ACTIONS
from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, Internal, Unavailable
from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.booth.observing import GRPC
from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.rpc.actions import METHOD_NAMES, SERVICE_NAME
from chatbooth_grpc.rpc.errors import status_code

COMMIT = "commit"
PUSH = "push"
ACKNOWLEDGE = "acknowledge"
"""The names of the spans that are not calls."""

ACCOUNT_ID = "chatbooth.account.id"
REQUEST_ID = "chatbooth.request.id"
ERROR_TYPE = "error.type"

_METHODS = {
    row.name: f"{SERVICE_NAME}/{METHOD_NAMES[number]}" for number, row in ACTIONS.items() if number in METHOD_NAMES
}
# The convention's word for a method that the server does not know. A client could invent any number of them.
_OTHER = "_OTHER"
# For the convention, an error of another branch is the client's.
_FAULTS = (DeadlineExceeded, Internal, Unavailable)


def method(action: str) -> str:
    """Return the name of a call's span: the full name of its method of gRPC, over both wires."""
    return _METHODS.get(action, _OTHER)


def call_attributes(wire: str, action: str) -> dict[str, str | int]:
    """Return what is known of a call when it begins."""
    return {"rpc.system.name": "grpc" if wire == GRPC else "chatbooth", "rpc.method": method(action)}


def outcome_attributes(error: ChatboothError | None) -> dict[str, str | int]:
    """Return the outcome of a call or a message: the status that gRPC has for it, and the error's reason."""
    if error is None:
        return {"rpc.response.status_code": "OK"}
    return {"rpc.response.status_code": Code.Name(status_code(error)), ERROR_TYPE: error.reason}


def is_fault(error: ChatboothError | None) -> bool:
    """Whether a span with this error has failed. If the client is wrong, the span has not."""
    return isinstance(error, _FAULTS)


def sent_attributes(new: NewMessage) -> dict[str, str | int]:
    """Return what the span of a Send says about its message."""
    return {
        ACCOUNT_ID: new.session.account_id,
        **_messaging("send", new.outgoing.message_id),
        "messaging.message.body.size": len(new.outgoing.content),
    }


def pushed_attributes(session: StoredSession, message: Message) -> dict[str, str | int]:
    """Return what the span of a push says."""
    return {**_messaging(PUSH, message.message_id), **received_attributes(session, message.sequence)}


def received_attributes(session: StoredSession, sequence: int) -> dict[str, str | int]:
    """Return who has received a message, and its number in the mailbox."""
    return {
        ACCOUNT_ID: session.account_id,
        "chatbooth.session.id": session.session_id,
        "chatbooth.mailbox.sequence": sequence,
    }


def _messaging(operation: str, message_id: bytes) -> dict[str, str | int]:
    return {
        "messaging.system": "chatbooth",
        "messaging.operation.name": operation,
        "messaging.operation.type": "send",
        "messaging.message.id": str(UUID(bytes=message_id)),
    }
