"""Content and events of kinds that this version does not know: unknown fields of protobuf."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message as ProtobufMessage
from google.protobuf.unknown_fields import UnknownFieldSet

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.model import MAX_KIND, ContentKind

Carrier = pb.Message | pb.SendRequest
"""A protobuf message with the oneof `content`."""

# The .proto promises the number of the field that carries each kind: the kind's number and this.
_MESSAGE_OFFSET = pb.Message.TEXT_FIELD_NUMBER - ContentKind.TEXT
_REQUEST_OFFSET = pb.SendRequest.TEXT_FIELD_NUMBER - ContentKind.TEXT

# Protobuf's wire type of strings, bytes and messages.
_SIZED = 2


def unknown_content(carrier: Carrier) -> tuple[int, bytes] | None:
    """Return the kind and the bytes of content that this version does not know. None if there is no such content."""
    offset = _offset(carrier)
    found = None
    # As in any oneof, the last field counts.
    for number, content in _unknown_fields(carrier):
        if 0 < number - offset <= MAX_KIND:
            found = (number - offset, content)
    return found


def add_unknown_content(carrier: Carrier, kind: int, content: bytes) -> None:
    """Add content of a kind that this version does not know, as a newer version would encode it.

    A number that no kind may have, 0 or above 255, adds nothing, because its field belongs to something else.
    """
    if not 0 < kind <= MAX_KIND:
        return
    tag = (kind + _offset(carrier)) << 3 | _SIZED
    carrier.MergeFromString(_varint(tag) + _varint(len(content)) + content)


def unknown_event_kind(response: pb.ListenResponse) -> int:
    """Return the kind of an event that this version does not know: the number of its field, or 0 without a field."""
    return max((number for number, _ in _unknown_fields(response)), default=0)


def _unknown_fields(message: ProtobufMessage) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each field. A number or a float has no bytes."""
    fields = UnknownFieldSet(message)
    for field in (fields[index] for index in range(len(fields))):
        yield field.field_number, field.data if field.wire_type == _SIZED else b""


def _offset(carrier: Carrier) -> int:
    return _MESSAGE_OFFSET if isinstance(carrier, pb.Message) else _REQUEST_OFFSET


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
