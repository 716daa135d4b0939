"""The client's connections: writes have deadlines, and silent servers are pinged."""

from __future__ import annotations

import socket
import time

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.wire.client import wire_transport
from chatbooth_grpc.wire.client.connecting import answer_ping, connect, send_all
from chatbooth_grpc.wire.client.wire_transport import receive_or_ask
from chatbooth_grpc.wire.encoding import pinging
from chatbooth_grpc.wire.encoding.frames import Frame, encode_request
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from tests.wire.running import PATIENCE
from tests.wire.scripted_stream import ScriptedStream


def deadline(seconds: float = PATIENCE) -> float:
    return time.monotonic() + seconds


def test_all_is_sent_in_order_and_nothing_twice() -> None:
    stream = ScriptedStream(3, 0, 0, 2, 0)
    send_all(stream, b"abcdefgh", deadline())
    assert stream.sent == b"abcdefgh"
    assert stream.offered == [b"abcdefgh", b"defgh", b"defgh", b"defgh", b"fgh", b"fgh"]
    stream.close()


def test_data_that_is_taken_at_once_is_one_call() -> None:
    stream = ScriptedStream()
    send_all(stream, b"abc", deadline())
    assert stream.offered == [b"abc"]
    stream.close()


def test_a_stream_that_takes_nothing_is_given_up_at_the_deadline() -> None:
    near, far = socket.socketpair()
    with near, far, pytest.raises(BlockingIOError):
        send_all(PlainStream(near), bytes(8 << 20), deadline(0.05))


def test_a_stream_that_breaks_is_an_error() -> None:
    stream = ScriptedStream(3, 0, ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        send_all(stream, b"abcdefgh", deadline())
    stream.close()


def test_a_silent_stream_is_asked_once_and_its_answer_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_transport, "KEEPALIVE_TIME", 0.01)
    monkeypatch.setattr(wire_transport, "KEEPALIVE_TIMEOUT", 0.01)
    stream = ScriptedStream()
    with pytest.raises(TimeoutError):
        receive_or_ask(stream)
    assert stream.sent == encode_request(actions.PING, pinging.encode_ping(pinging.ASK))
    stream.arrive(b"answer")
    assert receive_or_ask(stream) == b"answer"
    stream.close()


def test_an_answer_to_a_ping_is_not_answered() -> None:
    stream = ScriptedStream()
    answer_ping(stream, Frame(actions.PING, pinging.encode_ping(pinging.ANSWER, b"hi")))
    assert not stream.sent
    answer_ping(stream, Frame(actions.PING, pinging.encode_ping(pinging.ASK, b"hi")))
    assert stream.sent == encode_request(actions.PING, pinging.encode_ping(pinging.ANSWER, b"hi"))
    stream.close()


def test_a_stream_that_cannot_be_opened_closes_its_socket() -> None:
    opened: list[socket.socket] = []

    def fail(connected: socket.socket) -> PlainStream:
        opened.append(connected)
        raise ConnectionAbortedError("no encryption agreed")

    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(ServerUnreachable):
        connect(f"127.0.0.1:{listening.getsockname()[1]}", PATIENCE, fail)
    assert opened[0].fileno() == -1
