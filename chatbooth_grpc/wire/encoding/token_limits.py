"""The encoding of what a token may do, in a request and in the list of sessions."""

from __future__ import annotations

from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter


def encode_limits(limits: TokenLimits) -> bytes:
    """flag may read, flag may send, string recipient, varint recipient's account id"""
    writer = BodyWriter().flag(limits.may_read).flag(limits.may_send)
    return writer.string(limits.recipient).varint(limits.recipient_id).bytes()


def decode_limits(body: bytes) -> TokenLimits:
    reader = BodyReader(body)
    limits = TokenLimits(reader.flag(), reader.flag(), reader.string(), reader.varint())
    reader.finish()
    return limits
