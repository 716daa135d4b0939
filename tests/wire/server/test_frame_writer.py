"""Frames of many threads are written whole and in order. No thread blocks that must not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.server.frame_writer import FrameWriter
from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from tests.waiting import wait_until
from tests.wire.running import PATIENCE
from tests.wire.scripted_stream import ScriptedStream

FULL = 4 << 20  # more than the sockets' buffers hold


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's socket and the client's."""
    near, far = socket.socketpair()
    far.settimeout(PATIENCE)
    yield near, far
    near.close()
    far.close()


@pytest.fixture
def unread() -> Unread:
    """The writes that the clients have not taken."""
    return Unread()


@pytest.fixture
def writer(pair: tuple[socket.socket, socket.socket], unread: Unread) -> Iterator[FrameWriter]:
    """The writer of the server's socket."""
    slow_writer = SlowWriter()
    writer = FrameWriter(PlainStream(pair[0]), slow_writer, unread)
    yield writer
    writer.close()
    slow_writer.stop()


@pytest.fixture
def far(pair: tuple[socket.socket, socket.socket]) -> socket.socket:
    """The client's socket."""
    return pair[1]


def received(far: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (part := far.recv(1 << 16)):
        data += part
    return bytes(data)


def test_frames_arrive_in_the_order_in_which_they_were_put(writer: FrameWriter, far: socket.socket) -> None:
    expected = b""
    for number in range(200):
        frame = b"%04d" % number * 16
        writer.put(frame)
        expected += frame
    assert received(far, len(expected)) == expected


def test_no_writer_waits_for_a_client_that_does_not_read(
    writer: FrameWriter, far: socket.socket, unread: Unread
) -> None:
    threads = threading.active_count()
    writer.put(b"a" * FULL)
    writer.put(b"b" * FULL)
    assert threading.active_count() == threads  # no thread is lent to it
    # The watchdog sees by this that the writer is blocked.
    assert writer.writing_since is not None
    assert FULL < unread.size < 2 * FULL
    assert received(far, 2 * FULL) == b"a" * FULL + b"b" * FULL
    writer.wait_until_written()
    assert writer.writing_since is None
    assert (unread.size, unread.count) == (0, 0)


def test_a_writer_that_may_block_waits_while_much_is_pending(writer: FrameWriter, far: socket.socket) -> None:
    writer.put(b"a" * FULL)
    assert not writer.has_room
    blocked = threading.Thread(target=writer.wait_for_room, daemon=True)
    blocked.start()
    blocked.join(0.1)
    assert blocked.is_alive()
    assert received(far, FULL) == b"a" * FULL
    blocked.join(PATIENCE)
    assert not blocked.is_alive()


def test_it_calls_back_once_nothing_is_left(writer: FrameWriter, far: socket.socket) -> None:
    called = threading.Semaphore(0)
    assert writer.is_free
    assert not writer.call_when_free(called.release)
    writer.put(b"a" * FULL)
    assert not writer.is_free
    assert writer.call_when_free(called.release)
    assert not called.acquire(timeout=0.1)
    received(far, FULL)
    assert called.acquire(timeout=PATIENCE)
    assert writer.is_free
    assert not called.acquire(timeout=0.05)


def test_it_calls_back_when_the_connection_breaks(writer: FrameWriter, unread: Unread) -> None:
    called = threading.Semaphore(0)
    writer.put(b"a" * FULL)
    assert writer.call_when_free(called.release)
    writer.cut_off()
    assert called.acquire(timeout=PATIENCE)
    assert (unread.size, unread.count) == (0, 0)
    with pytest.raises(OSError, match="has ended"):
        writer.put(b"late")


def test_a_slow_reader_shows_progress(writer: FrameWriter, far: socket.socket) -> None:
    writer.put(b"a" * FULL)
    before = writer.writing_since
    received(far, FULL // 2)
    wait_until(lambda: writer.writing_since != before)


def test_a_client_with_too_much_unread_is_cut_off(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    slow_writer = SlowWriter()
    unread = Unread(share_size=FULL)
    writer = FrameWriter(PlainStream(near), slow_writer, unread)
    writer.account_id = 1

    def is_cut_off() -> bool:
        try:
            writer.put(b"a" * FULL)
        except OSError:
            return True
        return False

    wait_until(is_cut_off)
    assert unread.size == 0
    writer.close()
    slow_writer.stop()
    far.close()


def test_frames_of_many_threads_stay_whole(writer: FrameWriter, far: socket.socket) -> None:
    def put(letter: bytes) -> None:
        for number in range(300):
            writer.put(letter * 500)
            if number % 3:
                writer.wait_for_room()

    threads = [threading.Thread(target=put, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    data = received(far, 4 * 300 * 500)
    for thread in threads:
        thread.join(PATIENCE)
    frames = [data[start : start + 500] for start in range(0, len(data), 500)]
    assert {frame for frame in frames if frame != frame[:1] * 500} == set()
    assert {letter: frames.count(letter * 500) for letter in (b"a", b"b", b"c", b"d")} == dict.fromkeys(
        (b"a", b"b", b"c", b"d"), 300
    )


def test_an_end_comes_after_the_pending_bytes_and_nothing_after_it(
    pair: tuple[socket.socket, socket.socket], writer: FrameWriter
) -> None:
    near, far = pair
    writer.put(b"a" * FULL)
    writer.end()
    with pytest.raises(OSError, match="has ended"):
        writer.put(b"late")
    assert received(far, FULL + 100) == b"a" * FULL
    far.sendall(b"bye")
    assert near.recv(10) == b"bye"


def test_closing_frees_a_blocked_writer_and_no_thread_uses_the_socket_afterwards(
    pair: tuple[socket.socket, socket.socket], writer: FrameWriter
) -> None:
    near, _ = pair
    outcomes: list[type] = []

    def wait() -> None:
        try:
            writer.wait_for_room()
        except OSError as error:
            outcomes.append(type(error))

    writer.put(b"a" * FULL)
    blocked = threading.Thread(target=wait)
    blocked.start()
    blocked.join(0.05)
    writer.close()
    assert near.fileno() == -1
    blocked.join(PATIENCE)
    assert len(outcomes) == 1
    with pytest.raises(OSError, match="has ended"):
        writer.put(b"late")


def test_a_client_that_has_gone_is_an_error_for_the_writer(writer: FrameWriter, far: socket.socket) -> None:
    far.close()
    with pytest.raises(BrokenPipeError):
        writer.put(b"a")
    assert writer.writing_since is None


# Over a scripted stream


@contextmanager
def writing(*takes: int | OSError) -> Iterator[tuple[FrameWriter, ScriptedStream, Unread]]:
    """A writer of a scripted stream."""
    stream, slow_writer, unread = ScriptedStream(*takes), SlowWriter(), Unread()
    writer = FrameWriter(stream, slow_writer, unread)
    yield writer, stream, unread
    writer.close()
    slow_writer.stop()


@given(takes=st.lists(st.integers(0, 9), max_size=20), sizes=st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_whatever_a_stream_takes_at_a_time_all_arrives_in_order(takes: list[int], sizes: list[int]) -> None:
    with writing(*takes) as (writer, stream, unread):
        frames = [bytes((number,)) * size for number, size in enumerate(sizes)]
        for frame in frames:
            writer.put(frame)
        writer.wait_until_written()
        assert stream.sent == b"".join(frames)
        assert (writer.is_free, unread.size) == (True, 0)


def test_a_stream_that_takes_nothing_is_offered_the_same_bytes_again() -> None:
    """A stream that encrypts has begun with them, and asks for them until their cipher text is gone."""
    with writing(3, 0, 0, 2, 0) as (writer, stream, _):
        writer.put(b"abcdefgh")
        writer.wait_until_written()
        assert stream.offered == [b"abcdefgh", b"defgh", b"defgh", b"defgh", b"fgh", b"fgh"]


def test_an_end_waits_until_the_stream_has_taken_the_pending_bytes() -> None:
    with writing(3) as (writer, stream, _):
        writer.put(b"abc")
        stream.is_full = True
        writer.put(b"defgh")
        writer.end()
        assert stream.calls == []
        stream.is_full = False
        writer.wait_until_written()
        assert stream.calls == ["end after 8"]


def test_a_stream_that_takes_nothing_makes_no_progress() -> None:
    """Though its descriptor is writable: the watchdog would never find the client that does not read."""
    with writing() as (writer, stream, _):
        stream.is_full = True
        writer.put(b"abc")
        since = writer.writing_since
        wait_until(lambda: len(stream.offered) > 20)
        assert writer.writing_since == since
        stream.is_full = False
        writer.wait_until_written()


def test_a_stream_that_breaks_under_the_slow_writer_ends_the_connection() -> None:
    with writing(3, 0, 0, ConnectionResetError()) as (writer, stream, unread):
        writer.put(b"abcdefgh")
        writer.wait_until_written()
        assert stream.calls[0] == "cut off"
        assert (unread.size, unread.count) == (0, 0)
        with pytest.raises(OSError, match="has ended"):
            writer.put(b"late")
    assert stream.calls[-1] == "close"


def test_a_stream_that_breaks_at_once_is_an_error_for_the_writer() -> None:
    with writing(3, ConnectionResetError()) as (writer, stream, unread):
        with pytest.raises(ConnectionResetError):
            writer.put(b"abcdefgh")
        assert stream.calls == ["cut off"]
        assert (writer.is_free, unread.size) == (True, 0)
