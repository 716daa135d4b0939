"""Bodies of SEND and of its reply."""

from __future__ import annotations

from chatbooth_grpc.booth.actions import SEND
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.rules import MESSAGE_ID_SIZE
from chatbooth_grpc.wire.encoding.codec import Codec
from chatbooth_grpc.wire.encoding.content import read_content, write_content
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter, decode_number, encode_varint


def encode_outgoing(message: OutgoingMessage) -> bytes:
    """string recipient, 16 bytes message id, content"""
    writer = BodyWriter().string(message.recipient).fixed(message.message_id)
    return write_content(writer, message.kind, message.content).bytes()


def decode_outgoing(body: bytes) -> OutgoingMessage:
    reader = BodyReader(body)
    recipient, message_id = reader.string(), reader.fixed(MESSAGE_ID_SIZE)
    kind, content = read_content(reader)
    reader.finish()
    return OutgoingMessage(recipient, message_id, content, kind)


def encode_receipt(receipt: Receipt) -> bytes:
    """varint accept time"""
    return encode_varint(receipt.accept_time)


def decode_receipt(body: bytes) -> Receipt:
    return Receipt(decode_number(body))


CODEC = Codec(SEND, encode_outgoing, decode_outgoing, encode_receipt, decode_receipt)
