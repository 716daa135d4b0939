"""A connection's live stream: it opens after its reply, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import AlreadyListening, SessionInvalid, TooBusy
from chatbooth_grpc.booth.model import End, EndReason, MessageBatch, Opening
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.encoding.frames import FrameDecoder
from chatbooth_grpc.wire.encoding.pushes import Ended, decode_push
from chatbooth_grpc.wire.server.frame_writer import FrameWriter
from chatbooth_grpc.wire.server.live_stream import LiveStream
from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from tests.booth.cheap_passwords import PASSWORD
from tests.waiting import wait_until
from tests.wire.running import PATIENCE, Running
from tests.wire.scripted_stream import ScriptedStream


@pytest.fixture
def stream() -> ScriptedStream:
    """Where the pushes go."""
    return ScriptedStream()


@pytest.fixture
def writer(stream: ScriptedStream) -> Iterator[FrameWriter]:
    slow_writer = SlowWriter()
    writer = FrameWriter(stream, slow_writer, Unread())
    yield writer
    writer.close()
    slow_writer.stop()


@pytest.fixture
def session(running: Running) -> StoredSession:
    return running.booth.authenticated(running.booth.sign_up("ann", PASSWORD).token)


@pytest.fixture
def live(running: Running, writer: FrameWriter) -> Iterator[LiveStream]:
    live = LiveStream(running.switchboard, writer)
    yield live
    live.close()


def written(stream: ScriptedStream) -> list[object]:
    """Return the frames that were written: replies as bytes, pushes decoded."""
    frames = FrameDecoder(1 << 20, from_client=False).feed(bytes(stream.sent))
    return [frame.body if frame.action == actions.RESPONSE else decode_push(frame.body) for frame in frames]


def test_the_reply_comes_before_the_first_push(
    live: LiveStream, stream: ScriptedStream, session: StoredSession, writer: FrameWriter
) -> None:
    live.open(session, None)
    assert live.is_open
    assert writer.account_id == session.account_id
    wait_until(lambda: len(written(stream)) == 2)
    reply, opening = written(stream)
    assert reply == b"\x00"
    assert isinstance(opening, Opening)


def test_a_push_that_comes_while_the_stream_opens_waits_for_the_reply(
    live: LiveStream, stream: ScriptedStream, running: Running, session: StoredSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing = threading.Thread(target=live.send, args=(MessageBatch([]),))

    def open_and_push(*args: Any) -> Listener:
        pushing.start()
        # A push that does not wait ends within this time.
        pushing.join(0.05)
        return Switchboard.open(running.switchboard, *args)

    monkeypatch.setattr(running.switchboard, "open", open_and_push)
    live.open(session, None)
    pushing.join(PATIENCE)
    assert written(stream)[0] == b"\x00"


def test_there_is_one_at_a_time(live: LiveStream, running: Running, session: StoredSession) -> None:
    live.open(session, None)
    with pytest.raises(AlreadyListening):
        live.open(session, None)
    assert running.switchboard.count == 1
    live.close()
    live.close()
    assert (live.is_open, running.switchboard.count) == (False, 0)


def test_its_end_is_written_and_makes_room_for_another(
    live: LiveStream, stream: ScriptedStream, running: Running, session: StoredSession
) -> None:
    live.open(session, None)
    wait_until(lambda: len(written(stream)) == 2)
    live.end(End(EndReason.SESSION_ENDED, 7), SessionInvalid())
    ended = written(stream)[2]
    assert isinstance(ended, Ended)
    assert (ended.end, type(ended.error)) == (End(EndReason.SESSION_ENDED, 7), SessionInvalid)
    assert (live.is_open, running.switchboard.count) == (False, 0)
    live.open(session, None)
    assert live.is_open


def test_the_writer_learns_that_a_client_has_gone(live: LiveStream, writer: FrameWriter) -> None:
    assert live.send(MessageBatch([]))
    live.abort()
    assert not live.send(MessageBatch([]))
    live.end(End(EndReason.FAILED, 0), TooBusy("nothing"))


def test_it_is_free_when_the_client_reads(live: LiveStream, stream: ScriptedStream, writer: FrameWriter) -> None:
    assert live.is_free
    stream.is_full = True
    assert live.send(MessageBatch([]))
    called: list[bool] = []
    assert not live.is_free
    assert live.call_when_free(lambda: called.append(True))
    stream.is_full = False
    writer.wait_until_written()
    wait_until(lambda: called == [True])
    assert not live.call_when_free(lambda: None)
