"""The client library, with `ChatClient` as its public API."""

# Each public name is imported when it is first asked for. gRPC is imported only when a client connects.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatbooth_grpc.booth.errors import (
        AccountDisabled,
        AlreadyExists,
        AlreadyListening,
        BatchTooLarge,
        Blocked,
        BlocksOneself,
        ChatboothError,
        CursorPastEnd,
        DeadlineExceeded,
        EmptyText,
        FailedPrecondition,
        Internal,
        InvalidArgument,
        InvalidInvite,
        InvalidLabel,
        InvalidMessageId,
        InvalidPageToken,
        InvalidPassword,
        InvalidPattern,
        InvalidPrefix,
        InvalidUsername,
        InviteNotFound,
        InviteRefused,
        InviteRequired,
        LimitReached,
        MailboxFull,
        MalformedRequest,
        MessageIdReused,
        NotFound,
        OutOfRange,
        RateLimited,
        RecipientNotFound,
        RequestTooLarge,
        ResourceExhausted,
        ServerDraining,
        ServerUnreachable,
        SessionInvalid,
        SessionNotFound,
        SignUpClosed,
        StoreFull,
        StoreUnavailable,
        TextTooLong,
        TooBusy,
        Unauthenticated,
        Unavailable,
        UnknownAction,
        UnknownContentKind,
        UnknownError,
        UnsupportedVersion,
        UsernameReserved,
        UsernameTaken,
        WrongCredentials,
        WrongPassword,
    )
    from chatbooth_grpc.booth.message_ids import decode_message_id, new_message_id
    from chatbooth_grpc.booth.model import (
        ContentKind,
        Delivery,
        End,
        EndReason,
        Event,
        Gap,
        GapReason,
        Message,
        MessageBatch,
        Opening,
        OutgoingMessage,
        Page,
        Receipt,
        Removal,
        Session,
        SessionEntry,
        SessionKind,
        UnknownEvent,
    )
    from chatbooth_grpc.booth.trust_errors import (
        CertificateChanged,
        CertificateExpired,
        CertificateUnknown,
        NotTrusted,
        PlainTextRefused,
    )
    from chatbooth_grpc.client.library.chat_client import ChatClient
    from chatbooth_grpc.client.library.inbox import Acknowledge, Batches, Deliver, Inbox
    from chatbooth_grpc.client.library.listening import Listening
    from chatbooth_grpc.client.library.outgoing import Sendable, text_message
    from chatbooth_grpc.client.library.reply_ids import reply_id
    from chatbooth_grpc.client.library.retrying import Retrying
    from chatbooth_grpc.client.library.security import Security
    from chatbooth_grpc.client.library.transport import EventStream, SendStream, Transport
    from chatbooth_grpc.client.state.history import Restored
    from chatbooth_grpc.client.state.outbox import Outbox, OutboxDamaged, QueuedMessage

__all__ = [
    "AccountDisabled",
    "Acknowledge",
    "AlreadyExists",
    "AlreadyListening",
    "BatchTooLarge",
    "Batches",
    "Blocked",
    "BlocksOneself",
    "CertificateChanged",
    "CertificateExpired",
    "CertificateUnknown",
    "ChatClient",
    "ChatboothError",
    "ContentKind",
    "CursorPastEnd",
    "DeadlineExceeded",
    "Deliver",
    "Delivery",
    "EmptyText",
    "End",
    "EndReason",
    "Event",
    "EventStream",
    "FailedPrecondition",
    "Gap",
    "GapReason",
    "Inbox",
    "Internal",
    "InvalidArgument",
    "InvalidInvite",
    "InvalidLabel",
    "InvalidMessageId",
    "InvalidPageToken",
    "InvalidPassword",
    "InvalidPattern",
    "InvalidPrefix",
    "InvalidUsername",
    "InviteNotFound",
    "InviteRefused",
    "InviteRequired",
    "LimitReached",
    "Listening",
    "MailboxFull",
    "MalformedRequest",
    "Message",
    "MessageBatch",
    "MessageIdReused",
    "NotFound",
    "NotTrusted",
    "Opening",
    "OutOfRange",
    "Outbox",
    "OutboxDamaged",
    "OutgoingMessage",
    "Page",
    "PlainTextRefused",
    "QueuedMessage",
    "RateLimited",
    "Receipt",
    "RecipientNotFound",
    "Removal",
    "RequestTooLarge",
    "ResourceExhausted",
    "Restored",
    "Retrying",
    "Security",
    "SendStream",
    "Sendable",
    "ServerDraining",
    "ServerUnreachable",
    "Session",
    "SessionEntry",
    "SessionInvalid",
    "SessionKind",
    "SessionNotFound",
    "SignUpClosed",
    "StoreFull",
    "StoreUnavailable",
    "TextTooLong",
    "TooBusy",
    "Transport",
    "Unauthenticated",
    "Unavailable",
    "UnknownAction",
    "UnknownContentKind",
    "UnknownError",
    "UnknownEvent",
    "UnsupportedVersion",
    "UsernameReserved",
    "UsernameTaken",
    "WrongCredentials",
    "WrongPassword",
    "decode_message_id",
    "new_message_id",
    "reply_id",
    "text_message",
]

_NAMES = {
    "booth.message_ids": (
        "decode_message_id",
        "new_message_id",
    ),
    "booth.model": (
        "ContentKind",
        "Delivery",
        "End",
        "EndReason",
        "Event",
        "Gap",
        "GapReason",
        "Message",
        "MessageBatch",
        "Opening",
        "OutgoingMessage",
        "Page",
        "Receipt",
        "Removal",
        "Session",
        "SessionEntry",
        "SessionKind",
        "UnknownEvent",
    ),
    "booth.trust_errors": (
        "CertificateChanged",
        "CertificateExpired",
        "CertificateUnknown",
        "NotTrusted",
        "PlainTextRefused",
    ),
    "client.library.chat_client": ("ChatClient",),
    "client.library.inbox": (
        "Acknowledge",
        "Batches",
        "Deliver",
        "Inbox",
    ),
    "client.library.listening": ("Listening",),
    "client.library.outgoing": (
        "Sendable",
        "text_message",
    ),
    "client.library.reply_ids": ("reply_id",),
    "client.library.retrying": ("Retrying",),
    "client.library.security": ("Security",),
    "client.library.transport": (
        "EventStream",
        "SendStream",
        "Transport",
    ),
    "client.state.history": ("Restored",),
    "client.state.outbox": (
        "Outbox",
        "OutboxDamaged",
        "QueuedMessage",
    ),
}
"""The modules of the public names that are not errors, below `chatbooth_grpc`."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for. The command line's --help needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"chatbooth_grpc.{_MODULES.get(name, 'booth.errors')}"), name)


def __dir__() -> list[str]:
    """List the public names. They are not attributes of the module before they are asked for."""
    return sorted({*globals(), *__all__})
