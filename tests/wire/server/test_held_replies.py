"""Replies that are held: written together and in order, but not late and not without end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.server import held_replies
from chatbooth_grpc.wire.server.frame_writer import FrameWriter
from chatbooth_grpc.wire.server.held_replies import HeldReplies
from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from tests.wire.scripted_stream import ScriptedStream


@pytest.fixture
def stream() -> Iterator[ScriptedStream]:
    """Where the replies go."""
    stream = ScriptedStream()
    yield stream
    stream.close()


@pytest.fixture
def held(stream: ScriptedStream) -> Iterator[HeldReplies]:
    """The replies of a connection, which are held for as long as a test takes."""
    slow_writer = SlowWriter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held_replies, "_LONGEST_HELD", 3_600.0)
        yield HeldReplies(FrameWriter(stream, slow_writer, Unread()))
    slow_writer.stop()


def test_held_replies_are_one_write_and_then_held_no_more(held: HeldReplies, stream: ScriptedStream) -> None:
    held.add(b"one ")
    held.add(b"two ")
    assert stream.offered == []
    held.flush()
    held.flush()
    held.add(b"three")
    held.flush()
    assert stream.offered == [b"one two ", b"three"]


def test_much_is_held_no_longer(held: HeldReplies, stream: ScriptedStream) -> None:
    half = bytes(held_replies._MOST_HELD // 2)
    for _ in range(2):
        held.add(half)
        assert not stream.offered
        held.add(half)
        assert len(stream.sent) == 2 * len(half)
        stream.sent.clear()
        stream.offered.clear()


def test_slow_work_does_not_delay_earlier_replies(
    held: HeldReplies, stream: ScriptedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([100.0, 100.009, 100.02, 200.0])
    monkeypatch.setattr(held_replies, "_LONGEST_HELD", 0.01)
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    held.add(b"one ")
    held.add(b"two ")
    assert stream.offered == []
    held.add(b"three")
    assert stream.offered == [b"one two three"]
    held.add(b"a new one")
    assert len(stream.offered) == 1
