"""A plain stream takes the bytes that fit, never waits, and closes its own descriptor."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from chatbooth_grpc.wire.streams.byte_stream import MOST, new_buffer
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from tests.wire.running import PATIENCE


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The stream's socket and the peer's."""
    near, far = socket.socketpair()
    far.settimeout(PATIENCE)
    with near, far:
        yield near, far


@pytest.fixture
def stream(pair: tuple[socket.socket, socket.socket]) -> PlainStream:
    """The stream."""
    return PlainStream(pair[0])


@pytest.fixture
def far(pair: tuple[socket.socket, socket.socket]) -> socket.socket:
    """The peer's socket."""
    return pair[1]


def received(far: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (part := far.recv(1 << 16)):
        data += part
    return bytes(data)


def test_sending_quickly_takes_the_bytes_that_fit_and_never_waits(stream: PlainStream, far: socket.socket) -> None:
    assert stream.send_quickly(b"abc") == 3
    assert far.recv(10) == b"abc"
    sent = 0
    while step := stream.send_quickly(b"x" * (MOST + 1)):
        assert step <= MOST
        sent += step
    assert len(received(far, sent)) == sent


def test_sending_now_takes_the_bytes_that_fit_and_never_waits(stream: PlainStream, far: socket.socket) -> None:
    sent = 0
    while step := stream.send_now(memoryview(b"x" * (1 << 20))):
        sent += step
    assert 0 < sent < 1 << 22
    assert len(received(far, sent)) == sent


def test_receiving_without_waiting_tells_nothing_yet_from_the_end(stream: PlainStream, far: socket.socket) -> None:
    buffer = new_buffer(4)
    assert stream.receive_now(4) is None
    assert stream.receive_quickly(buffer) is None
    far.sendall(b"abcdefghij")
    assert stream.receive_quickly(buffer) == b"abcd"
    assert stream.receive_now(4) == b"efgh"
    assert stream.receive(4) == b"ij"
    far.shutdown(socket.SHUT_WR)
    assert stream.receive_now(4) == b""
    assert stream.receive_quickly(buffer) == b""
    assert stream.receive(4) == b""


def test_a_silence_over_the_timeout_is_an_error(stream: PlainStream, far: socket.socket) -> None:
    stream.set_timeout(0.01)
    with pytest.raises(TimeoutError):
        stream.receive(4)
    stream.set_timeout(None)
    far.sendall(b"abcd")
    assert stream.receive(4) == b"abcd"


def test_an_end_leaves_receiving_open(stream: PlainStream, far: socket.socket) -> None:
    stream.end()
    assert far.recv(10) == b""
    far.sendall(b"still")
    assert stream.receive(10) == b"still"
    with pytest.raises(BrokenPipeError):
        stream.send_quickly(b"late")


def test_a_stream_that_stops_receiving_keeps_the_arrived_bytes_and_still_sends(
    stream: PlainStream, far: socket.socket
) -> None:
    far.sendall(b"before")
    stream.stop_receiving()
    assert stream.receive(10) == b"before"
    assert stream.receive(10) == b""
    assert stream.send_now(b"reply") == 5
    assert far.recv(10) == b"reply"


def test_a_cut_ends_both_directions_and_may_come_twice(stream: PlainStream, far: socket.socket) -> None:
    stream.cut_off()
    stream.cut_off()
    assert far.recv(10) == b""
    assert stream.receive(10) == b""


def test_a_peer_that_has_gone_is_an_error(stream: PlainStream, far: socket.socket) -> None:
    far.close()
    with pytest.raises(BrokenPipeError):
        stream.send_quickly(b"a")
    with pytest.raises(BrokenPipeError):
        stream.send_now(b"a")


def test_a_closed_stream_touches_no_descriptor(stream: PlainStream) -> None:
    """The number may be another connection's by then."""
    number = stream.fileno()
    stream.close()
    near, far = socket.socketpair()
    with near, far:
        assert number in {near.fileno(), far.fileno()}
        assert stream.fileno() == -1
        for quick in (
            lambda: stream.send_quickly(b"a"),
            lambda: stream.receive_quickly(new_buffer(4)),
        ):
            with pytest.raises(OSError, match="Bad file descriptor"):
                quick()
        stream.end()
        stream.cut_off()
