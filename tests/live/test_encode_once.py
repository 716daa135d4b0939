"""Encoding once: the listeners of a mailbox get the bytes that the first of them made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatbooth_grpc.booth.actions import SIGN_UP, LogInRequest
from chatbooth_grpc.booth.model import Event, Message, MessageBatch, OutgoingMessage
from chatbooth_grpc.live import listener
from chatbooth_grpc.live.encode_once import EncodeOnce
from chatbooth_grpc.rpc.server import listening
from chatbooth_grpc.wire.server import live_stream
from tests.contract.actor import PASSWORD, TIMEOUT
from tests.contract.stores import Clock, SQLiteHome
from tests.contract.transports import transport_to

LISTENERS = 6
ENCODERS = {"grpc": listening._encode, "wire": live_stream._encode_push}


class Encoding:
    """Encodes by another function, and keeps the batches of messages that it got."""

    def __init__(self, encoder: EncodeOnce) -> None:
        self._encode = encoder._encode
        self.batches: list[MessageBatch] = []

    def __call__(self, event: Event) -> bytes:
        if isinstance(event, MessageBatch):
            self.batches.append(event)
        return self._encode(event)


def message(number: int) -> Message:
    return Message(number, "ann", 1, b"i" * 16, 0, b"text")


def test_the_same_messages_are_encoded_once_and_equal_ones_again() -> None:
    encoding = Encoding(EncodeOnce(lambda event: repr(event).encode()))
    encode = EncodeOnce(encoding)
    tail = (message(1), message(2))
    first = encode(MessageBatch(tail))
    assert encode(MessageBatch(tail)) is first
    assert encode(MessageBatch((message(1), message(2)))) == first
    assert encode(MessageBatch((message(3),))) != first
    assert len(encoding.batches) == 3


def test_messages_that_may_change_are_not_remembered() -> None:
    encode = EncodeOnce(lambda event: repr(event).encode())
    messages = [message(1)]
    before = encode(MessageBatch(messages))
    messages[0] = message(2)
    assert encode(MessageBatch(messages)) != before


@pytest.mark.parametrize("way", ENCODERS)
def test_all_listeners_of_a_mailbox_share_one_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """No code may copy the messages between the tail and the encoder, because the encoder compares identities."""
    # Each listener also reads the log once a second, and gets messages of its own.
    monkeypatch.setattr(listener, "READ_INTERVAL", 1e9)
    encoding = Encoding(ENCODERS[way])
    monkeypatch.setattr(ENCODERS[way], "_encode", encoding)
    with (
        SQLiteHome(tmp_path / "home").open() as store,
        transport_to(store, way, Clock()) as transport,
        ExitStack() as ending,
    ):
        ann = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), TIMEOUT)
        streams: list[Iterator[object]] = []
        for _ in range(LISTENERS):
            stream = transport.listen(ann.token, None)
            ending.callback(stream.cancel)
            streams.append(iter(stream))
            # The opening.
            next(streams[-1])
        for number in range(1, 4):
            transport.send(ann.token, OutgoingMessage("ann", bytes([number]) * 16, b"text"), timeout=TIMEOUT)
            for each in streams:
                event = next(each)
                assert isinstance(event, MessageBatch)
                assert [one.sequence for one in event.messages] == [number]
    assert [[one.sequence for one in batch.messages] for batch in encoding.batches] == [[1], [2], [3]]
