"""Bodies of DELIVER and ACKNOWLEDGE, with the parts that pushes also have."""

from __future__ import annotations

from chatbooth_grpc.booth.actions import ACKNOWLEDGE, DELIVER, AcknowledgeRequest, DeliverRequest
from chatbooth_grpc.booth.model import Delivery, Gap, GapReason, Message, Opening
from chatbooth_grpc.booth.rules import MESSAGE_ID_SIZE
from chatbooth_grpc.wire.encoding.codec import EMPTY, codec
from chatbooth_grpc.wire.encoding.content import read_content
from chatbooth_grpc.wire.encoding.primitives import (
    EPOCH_SIZE,
    BodyReader,
    BodyWriter,
    encode_extension,
    encode_varint,
)

# The tag of the extension of DELIVER and ACKNOWLEDGE that holds the epoch in which the acknowledged sequence counts.
_EPOCH_TAG = 1


def encode_deliver_request(request: DeliverRequest) -> bytes:
    """varint acknowledge through, varint most messages, optional sequence to start after; then the epoch"""
    writer = BodyWriter().varint(request.acknowledge_through).varint(request.max_messages)
    return writer.optional(request.after).bytes() + encode_extension(_EPOCH_TAG, request.epoch)


def decode_deliver_request(body: bytes) -> DeliverRequest:
    reader = BodyReader(body)
    through, max_messages, after = reader.varint(), reader.varint(), reader.optional()
    return DeliverRequest(through, after, max_messages, reader.extensions().get(_EPOCH_TAG, b""))


def encode_delivery(delivery: Delivery) -> bytes:
    """opening, flag more, varint number of messages, the messages"""
    writer = write_opening(BodyWriter(), delivery.opening)
    writer.fixed(bytes((delivery.more,))).varint(len(delivery.messages))
    for message in delivery.messages:
        writer.sized(encode_message(message))
    return writer.bytes()


def decode_delivery(body: bytes) -> Delivery:
    reader = BodyReader(body)
    opening, more = read_opening(reader), reader.flag()
    messages = [decode_message(reader.sized()) for _ in range(reader.varint())]
    reader.finish()
    return Delivery(opening, messages, more)


def encode_acknowledge_request(request: AcknowledgeRequest) -> bytes:
    """varint through; then the epoch"""
    return encode_varint(request.through) + encode_extension(_EPOCH_TAG, request.epoch)


def decode_acknowledge_request(body: bytes) -> AcknowledgeRequest:
    reader = BodyReader(body)
    return AcknowledgeRequest(reader.varint(), reader.extensions().get(_EPOCH_TAG, b""))


# Shared by a delivery and a push


def encode_message(message: Message) -> bytes:
    """varint sequence, string sender, varint sender's id, 16 bytes message id, varint accept time, content"""
    sequence, sender, sender_id, message_id, accept_time, content, kind = message
    name = sender.encode()
    # This runs once for every message. One join is faster than a writer that takes one field after another.
    return b"".join(
        (
            encode_varint(sequence),
            encode_varint(len(name)),
            name,
            encode_varint(sender_id),
            message_id,
            encode_varint(accept_time),
            bytes((kind,)),
            encode_varint(len(content)),
            content,
        )
    )


def decode_message(body: bytes) -> Message:
    reader = BodyReader(body)
    sequence, sender, sender_id = reader.varint(), reader.string(), reader.varint()
    message_id, accept_time = reader.fixed(MESSAGE_ID_SIZE), reader.varint()
    kind, content = read_content(reader)
    reader.finish()
    return Message(sequence, sender, sender_id, message_id, accept_time, content, kind)


def write_opening(writer: BodyWriter, opening: Opening) -> BodyWriter:
    """16 bytes epoch, varint account id, varint resumed after, varint replaying, flag whether a gap follows, gap"""
    writer.fixed(opening.epoch).varint(opening.account_id).varint(opening.resumed_after).varint(opening.replaying)
    writer.fixed(bytes((opening.gap is not None,)))
    return writer if opening.gap is None else write_gap(writer, opening.gap)


def read_opening(reader: BodyReader) -> Opening:
    epoch, account_id = reader.fixed(EPOCH_SIZE), reader.varint()
    resumed_after, replaying = reader.varint(), reader.varint()
    return Opening(epoch, account_id, resumed_after, replaying, read_gap(reader) if reader.flag() else None)


def write_gap(writer: BodyWriter, gap: Gap) -> BodyWriter:
    """varint first, varint last, varint reason"""
    return writer.varint(gap.first).varint(gap.last).varint(gap.reason)


def read_gap(reader: BodyReader) -> Gap:
    return Gap(reader.varint(), reader.varint(), GapReason(reader.varint()))


CODECS = (
    codec(DELIVER, (encode_deliver_request, decode_deliver_request), (encode_delivery, decode_delivery)),
    codec(ACKNOWLEDGE, (encode_acknowledge_request, decode_acknowledge_request), EMPTY),
)
