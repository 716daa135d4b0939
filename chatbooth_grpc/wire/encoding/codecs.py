"""The encoding of each action's request and reply: one row for each action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chatbooth_grpc.booth import actions
from chatbooth_grpc.wire.encoding import accounts, delivering, lists, pushes, sending
from chatbooth_grpc.wire.encoding.primitives import decode_empty, decode_number, encode_empty, encode_varint

Request = TypeVar("Request")
Reply = TypeVar("Reply")


@dataclass(frozen=True)
class Codec(Generic[Request, Reply]):
    """Encodes and decodes the bodies of one action. A decoder raises BodyError."""

    action: int
    encode_request: Callable[[Request], bytes]
    decode_request: Callable[[bytes], Request]
    # A reply's body follows its status byte.
    encode_reply: Callable[[Reply], bytes]
    decode_reply: Callable[[bytes], Reply]


CODECS: dict[int, Codec[Any, Any]] = {}
"""The rows, by their actions' numbers."""


def _row(
    action: int,
    request: tuple[Callable[[Request], bytes], Callable[[bytes], Request]],
    reply: tuple[Callable[[Reply], bytes], Callable[[bytes], Reply]],
) -> Codec[Request, Reply]:
    codec = CODECS[action] = Codec(action, *request, *reply)
    return codec


_EMPTY = (encode_empty, decode_empty)
_LOG_IN = (accounts.encode_log_in, accounts.decode_log_in)
_SESSION = (accounts.encode_session, accounts.decode_session)

SIGN_UP = _row(actions.SIGN_UP, _LOG_IN, _SESSION)
LIST = _row(
    actions.LIST,
    (lists.encode_list_request, lists.decode_list_request),
    (lists.encode_page, lists.decode_page),
)
SEND = _row(
    actions.SEND,
    (sending.encode_outgoing, sending.decode_outgoing),
    (sending.encode_receipt, sending.decode_receipt),
)
DELIVER = _row(
    actions.DELIVER,
    (delivering.encode_deliver_request, delivering.decode_deliver_request),
    (delivering.encode_delivery, delivering.decode_delivery),
)
DELETE = _row(
    actions.DELETE,
    (accounts.encode_password, accounts.decode_password),
    (accounts.encode_removal, accounts.decode_removal),
)
LOG_IN = _row(actions.LOG_IN, _LOG_IN, _SESSION)
LOG_OUT = _row(actions.LOG_OUT, _EMPTY, _EMPTY)
LISTEN = _row(actions.LISTEN, (pushes.encode_listen_request, pushes.decode_listen_request), _EMPTY)
ACKNOWLEDGE = _row(
    actions.ACKNOWLEDGE,
    (delivering.encode_acknowledge_request, delivering.decode_acknowledge_request),
    _EMPTY,
)
CHANGE_PASSWORD = _row(
    actions.CHANGE_PASSWORD,
    (accounts.encode_password_change, accounts.decode_password_change),
    (encode_varint, decode_number),
)
