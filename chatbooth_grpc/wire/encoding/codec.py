"""Codec: how the request and the reply of one action are encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from chatbooth_grpc.booth.actions import Reply, Request, UnaryAction
from chatbooth_grpc.wire.encoding.primitives import decode_empty, encode_empty

EMPTY = (encode_empty, decode_empty)
"""Encodes and decodes None, for a request or a reply without fields."""


@dataclass(frozen=True)
class Codec(Generic[Request, Reply]):
    """Encodes and decodes the bodies of one action. A decoder raises BodyError."""

    action: int
    encode_request: Callable[[Request], bytes]
    decode_request: Callable[[bytes], Request]
    # A reply's body follows its status byte.
    encode_reply: Callable[[Reply], bytes]
    decode_reply: Callable[[bytes], Reply]


def codec(
    action: UnaryAction[Request, Reply],
    request: tuple[Callable[[Request], bytes], Callable[[bytes], Request]],
    reply: tuple[Callable[[Reply], bytes], Callable[[bytes], Reply]],
) -> Codec[Request, Reply]:
    """Return the row of a unary action: how to encode and to decode its request and its reply."""
    return Codec(action, *request, *reply)
