"""Bodies of LISTEN, and of the pushes that follow it with the action MESSAGE."""

from __future__ import annotations

from dataclasses import dataclass

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, EndReason, Event, Gap, MessageBatch, Opening, UnknownEvent
from chatbooth_grpc.wire.encoding.codes import decode_error, encode_error
from chatbooth_grpc.wire.encoding.delivering import (
    decode_message,
    encode_message,
    read_gap,
    read_opening,
    write_gap,
    write_opening,
)
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter, encode_sized

# The kind of a push: its first byte.
OPENED, BATCH, GAP, END = 1, 2, 3, 4


def encode_listen_request(after: int | None) -> bytes:
    """optional sequence to start after"""
    return BodyWriter().optional(after).bytes()


def decode_listen_request(body: bytes) -> int | None:
    reader = BodyReader(body)
    after = reader.optional()
    reader.finish()
    return after


def encode_event(event: Event) -> bytes:
    """one byte kind, then: opening; or the messages, each sized, to the body's end; or gap"""
    match event:
        case MessageBatch(messages):
            return b"".join((bytes((BATCH,)), *(encode_sized(encode_message(message)) for message in messages)))
        case Opening():
            return write_opening(BodyWriter().fixed(bytes((OPENED,))), event).bytes()
        case Gap():
            return write_gap(BodyWriter().fixed(bytes((GAP,))), event).bytes()
        case End():
            raise TypeError("an end goes with its error: see encode_ended")


def encode_ended(end: End, error: ChatboothError, request_id: str = "") -> bytes:
    """one byte kind, varint reason, varint sent through, sized error"""
    writer = BodyWriter().fixed(bytes((END,))).varint(end.reason).varint(end.sent_through)
    return writer.sized(encode_error(error, request_id)).bytes()


@dataclass(frozen=True, slots=True)
class Ended:
    """The last push of a live stream: its end, and the error that a call would have ended with."""

    end: End
    error: ChatboothError


def decode_push(body: bytes) -> Event | Ended | UnknownEvent:
    """Return the event that a push carries. Raises BodyError."""
    reader = BodyReader(body)
    event: Event | Ended
    kind = reader.fixed(1)[0]
    match kind:
        case 2:
            messages = []
            while not reader.is_at_end:
                messages.append(decode_message(reader.sized()))
            return MessageBatch(messages)
        case 1:
            event = read_opening(reader)
        case 3:
            event = read_gap(reader)
        case 4:
            event = Ended(End(EndReason(reader.varint()), reader.varint()), decode_error(reader.sized()))
        case _:
            return UnknownEvent(kind)
    reader.finish()
    return event
