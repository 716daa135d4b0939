"""The ids of replies: one message has one id, and any other message has another."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.client.library.reply_ids import MAX_NUMBER, reply_id

IDS = st.binary(min_size=16, max_size=16).filter(any)
NUMBERS = st.integers(0, MAX_NUMBER)


def received(sender_id: int, message_id: bytes, sequence: int = 1, sender: str = "ben") -> Message:
    return Message(sequence, sender, sender_id, message_id, 1_760_000_000_000_000, b"tea?")


@given(NUMBERS, IDS, NUMBERS)
def test_an_id_is_a_uuid_made_from_the_message(sender_id: int, message_id: bytes, number: int) -> None:
    made = reply_id(received(sender_id, message_id), number)
    assert uuid.UUID(bytes=made).version == 8
    assert made[:6] == message_id[:6]
    assert reply_id(received(sender_id, message_id, sequence=9, sender="renamed"), number) == made


@given(st.sets(st.tuples(NUMBERS, IDS, NUMBERS), min_size=2))
def test_another_message_or_number_has_another_id(messages: set[tuple[int, bytes, int]]) -> None:
    made = {reply_id(received(sender_id, message_id), number) for sender_id, message_id, number in messages}
    assert len(made) == len(messages)


def test_the_id_is_the_same_in_every_version() -> None:
    """A bot that was upgraded while a message waited must not answer it twice."""
    assert reply_id(received(7, bytes(range(16)))).hex() == "0001020304058970bb793bdd1b36662e"
    assert reply_id(received(7, bytes(range(16))), 1).hex() == "0001020304058eaaac29557298333c1d"


@pytest.mark.parametrize("number", [-1, 1 << 64])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="number is"):
        reply_id(received(7, bytes(range(16))), number)
