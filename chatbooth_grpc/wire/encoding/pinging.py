"""Bodies of PING, in both directions."""

from __future__ import annotations

from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter

# The kind of a ping: its first byte.
ASK, ANSWER = 0, 1


def encode_ping(kind: int, payload: bytes = b"") -> bytes:
    """one byte kind (0 asks, 1 answers), sized payload that the answer repeats"""
    return BodyWriter().fixed(bytes((kind,))).sized(payload).bytes()


def decode_ping(body: bytes) -> tuple[int, bytes]:
    """Return the kind and the payload, which is empty if this version does not know the kind. Raises BodyError."""
    reader = BodyReader(body)
    kind = reader.fixed(1)[0]
    if kind not in (ASK, ANSWER):
        return kind, b""
    payload = reader.sized()
    reader.finish()
    return kind, payload
