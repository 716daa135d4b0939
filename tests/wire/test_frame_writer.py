"""Writing frames from many threads: whole, in order, and without blocking those who must not be."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from chatbooth_grpc.wire.frame_writer import FrameWriter
from chatbooth_grpc.wire.quick_io import MOST, send_now
from tests.wire.running import PATIENCE, wait_until

FULL = 4 << 20  # more than the sockets' buffers hold


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's socket and the client's."""
    near, far = socket.socketpair()
    far.settimeout(PATIENCE)
    yield near, far
    near.close()
    far.close()


def received(far: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (part := far.recv(1 << 16)):
        data += part
    return bytes(data)


def test_what_is_put_arrives_in_order_however_it_is_put(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    writer = FrameWriter(near)
    expected = b""
    for number in range(200):
        frame = b"%04d" % number * 16
        (writer.put if number % 2 else writer.put_at_once)(frame)
        expected += frame
    assert received(far, len(expected)) == expected


def test_who_must_not_block_does_not_while_a_client_does_not_read(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    writer = FrameWriter(near)
    started = time.monotonic()
    writer.put_at_once(b"a" * FULL)
    writer.put_at_once(b"b" * 10)
    writer.put(b"c" * 10)  # little: it may be left to the thread that waits
    assert time.monotonic() - started < PATIENCE / 2
    wait_until(lambda: writer.writing_since is not None)  # so the watchdog sees it
    data = received(far, FULL + 20)
    assert data == b"a" * FULL + b"b" * 10 + b"c" * 10
    writer.wait_until_written()
    assert writer.writing_since is None


def test_who_may_block_waits_where_much_is_left(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    writer = FrameWriter(near)
    writer.put_at_once(b"a" * FULL)
    blocked = threading.Thread(target=writer.put, args=(b"b" * FULL,), daemon=True)
    blocked.start()
    blocked.join(0.1)
    assert blocked.is_alive()
    assert received(far, 2 * FULL) == b"a" * FULL + b"b" * FULL
    blocked.join(PATIENCE)
    assert not blocked.is_alive()


def test_frames_of_many_threads_stay_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    writer = FrameWriter(near)

    def put(letter: bytes) -> None:
        for number in range(300):
            (writer.put if number % 3 else writer.put_at_once)(letter * 500)

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


def test_an_end_comes_behind_what_is_left_and_nothing_behind_it(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    writer = FrameWriter(near)
    writer.put_at_once(b"a" * FULL)
    writer.end()
    with pytest.raises(OSError, match="has ended"):
        writer.put(b"late")
    with pytest.raises(OSError, match="has ended"):
        writer.put_at_once(b"late")
    assert received(far, FULL + 100) == b"a" * FULL
    far.sendall(b"bye")
    assert near.recv(10) == b"bye"


def test_closing_frees_who_is_blocked_and_leaves_the_socket_to_nobody(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, _ = pair
    writer = FrameWriter(near)
    outcomes: list[type] = []

    def put() -> None:
        try:
            writer.put(b"a" * FULL)
        except OSError as error:
            outcomes.append(type(error))

    blocked = threading.Thread(target=put)
    blocked.start()
    wait_until(lambda: writer.writing_since is not None)
    writer.close()
    assert near.fileno() == -1
    blocked.join(PATIENCE)
    assert len(outcomes) == 1
    with pytest.raises(OSError, match="has ended"):
        writer.put_at_once(b"late")


def test_a_client_that_has_gone_is_an_error_for_who_writes(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    far.close()
    writer = FrameWriter(near)
    with pytest.raises(BrokenPipeError):
        writer.put_at_once(b"a")
    assert writer.writing_since is None


def test_sending_now_takes_what_fits_and_never_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    assert send_now(near, b"abc") == 3
    assert far.recv(10) == b"abc"
    sent = 0
    while step := send_now(near, b"x" * (MOST + 1)):
        assert step <= MOST
        sent += step
    assert len(received(far, sent)) == sent
    near.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        send_now(near, b"abc")
