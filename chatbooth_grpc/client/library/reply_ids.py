"""Making ids of replies from the message that is answered."""

from __future__ import annotations

import hashlib

from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.client.library.ranges import check_range

MAX_NUMBER = (1 << 64) - 1


def reply_id(message: Message, number: int = 0) -> bytes:
    """Return the id of a reply to a message: 16 bytes, which are the same at every time and place.

    A program that stops before it has acknowledged a message gets the message again, and answers it again. Under this
    id the server stores the answer once. `number`, from 0 to 2^64 - 1, tells several replies to one message apart. The
    id also fits any other message that a program sends because of a message, to anyone.
    """
    check_range(MAX_NUMBER, number=number)
    digest = hashlib.sha256(
        b"chatbooth reply" + message.sender_id.to_bytes(8, "big") + message.message_id + number.to_bytes(8, "big")
    ).digest()
    # The id is a UUIDv8. It begins as the message's id does, so that the ids of replies grow with time as those of
    # messages do. The server's index is written in that order.
    reply = bytearray(message.message_id[:6] + digest[:10])
    reply[6] = reply[6] & 0x0F | 0x80
    reply[8] = reply[8] & 0x3F | 0x80
    return bytes(reply)
