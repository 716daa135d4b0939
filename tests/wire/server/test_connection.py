"""One connection: replies in order, whole frames, and which errors end it."""

from __future__ import annotations

import os
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import (
    MalformedRequest,
    RequestTooLarge,
    SessionInvalid,
    StoreUnavailable,
    UnsupportedVersion,
)
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.encoding import delivering, lists, pinging
from chatbooth_grpc.wire.encoding.frames import HEADER, FrameDecoder, encode_frame, encode_request
from chatbooth_grpc.wire.encoding.primitives import encode_varint
from chatbooth_grpc.wire.server.connection import Connection
from chatbooth_grpc.wire.server.dispatch import Dispatcher
from chatbooth_grpc.wire.server.frame_writer import FrameWriter
from chatbooth_grpc.wire.server.shared_reader import READ_SIZE
from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from chatbooth_grpc.wire.streams.byte_stream import MOST
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from tests.booth.spies import Gate
from tests.waiting import wait_until
from tests.wire.running import LISTEN, PATIENCE, TEXT_SIZE, Running, refusal, refusal_of, send_body, success
from tests.wire.scripted_stream import ScriptedStream
from tests.wire.served_connection import served


def test_pipelined_requests_are_answered_in_their_order(running: Running) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    requests = [
        (actions.SEND, send_body("ann", "one")),
        (actions.SEND, send_body("nobody")),
        (actions.DELIVER, delivering.encode_deliver_request(actions.DeliverRequest(max_messages=1))),
        (99, b"what?"),
        (actions.SEND, send_body("ann", "two")),
        (actions.ACKNOWLEDGE, encode_varint(2)),
        (actions.LIST, lists.encode_list_request(actions.ListRequest())),
        (actions.LOG_OUT, b""),
        (actions.SEND, send_body("ann", "too late")),
    ]
    peer.socket.sendall(b"".join(encode_request(action, body, ann.token) for action, body in requests))
    replies = [peer.reply() for _ in requests]
    assert [body[0] for body in replies] == [0, 30, 0, 3, 0, 0, 0, 0, 20]
    [first] = delivering.decode_delivery(success(replies[2])).messages
    assert first.text == "one"


def test_requests_in_any_pieces_are_answered_the_same(running: Running) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    stream = encode_request(actions.ACKNOWLEDGE, encode_varint(0), ann.token) * 3
    for byte in stream:
        peer.socket.sendall(bytes((byte,)))
    assert [peer.reply() for _ in range(3)] == [b"\x00"] * 3


def test_requests_of_one_read_are_answered_by_one_write(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []

    send_quickly = PlainStream.send_quickly

    def noted(stream: PlainStream, data: bytes) -> int:
        writes.append(len(data))
        return send_quickly(stream, data)

    monkeypatch.setattr(PlainStream, "send_quickly", noted)
    with served(running) as (peer, _, _):
        ann = peer.sign_up("ann")
        writes.clear()
        peer.ask(actions.ACKNOWLEDGE, encode_varint(0), ann.token)
        assert len(writes) == 1
        peer.socket.sendall(encode_request(actions.ACKNOWLEDGE, encode_varint(0), ann.token) * 20)
        for _ in range(20):
            assert peer.reply() == b"\x00"
        assert len(writes) < 10


def test_a_reply_does_not_wait_for_slow_work_that_follows(running: Running) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    slow = Gate()
    wanted = lists.encode_list_request(actions.ListRequest())

    def before(method: str) -> None:
        if method == "usernames":
            slow.hold()

    running.store.before = before
    asked = encode_request(actions.ACKNOWLEDGE, encode_varint(0), ann.token)
    list_request = encode_request(actions.LIST, wanted, ann.token)
    peer.socket.sendall(asked + list_request + list_request)
    slow.wait_until_reached()
    threading.Timer(0.1, slow.open).start()
    assert peer.reply() == b"\x00"
    assert [peer.reply()[0] for _ in range(2)] == [0, 0]


def test_an_unknown_action_is_answered_and_the_connection_continues(running: Running) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    for action in (0, actions.RESPONSE, actions.MESSAGE, 100, 200, 255):
        peer.send(action, b"whatever", ann.token)
        assert refusal(peer.reply()).attributes()["action"] == str(action)
    peer.ask(actions.ACKNOWLEDGE, encode_varint(0), ann.token)


@pytest.mark.parametrize("more", [0, 100, 3 << 20])
def test_an_unknown_version_is_answered_and_the_connection_ends(running: Running, more: int) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    good = encode_request(actions.ACKNOWLEDGE, encode_varint(0), ann.token)
    garbage = b"\x02" + bytes(more)
    writer = threading.Thread(target=_write, args=(peer.socket, good + garbage))
    writer.start()
    assert peer.reply() == b"\x00"
    error = refusal(peer.reply())
    assert isinstance(error, UnsupportedVersion)
    assert (error.version, error.supported) == (2, 1)
    assert peer.is_ended()
    writer.join(PATIENCE)


def _write(connected: socket.socket, data: bytes) -> None:
    connected.sendall(data)


@pytest.mark.parametrize("size", [TEXT_SIZE + (64 << 10) + 1, 0xFFFFFFFF])
def test_a_body_over_the_limit_is_refused_by_its_header_and_the_connection_ends(running: Running, size: int) -> None:
    peer = running.peer()
    peer.socket.sendall(HEADER.pack(1, actions.SEND, size))
    assert isinstance(refusal(peer.reply()), RequestTooLarge)
    assert peer.is_ended()


def test_a_text_a_little_too_long_has_its_own_refusal_and_the_connection_continues(running: Running) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    peer.send(actions.SEND, send_body("ann", "x" * (TEXT_SIZE + 1)), ann.token)
    assert refusal(peer.reply()).reason == "TEXT_TOO_LONG"
    peer.ask(actions.SEND, send_body("ann", "x" * TEXT_SIZE), ann.token)


@pytest.mark.parametrize("action", [actions.LISTEN, actions.SEND, actions.DELIVER, actions.PING], ids=str)
@pytest.mark.parametrize("body", [b"\xff", b"\x80\x00", b"\x01\x02\x03\xff\xff"], ids=bytes.hex)
def test_a_malformed_body_is_answered_and_the_connection_continues(running: Running, action: int, body: bytes) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    assert isinstance(refusal_of(peer, action, body, ann.token), MalformedRequest)
    peer.ask(actions.ACKNOWLEDGE, encode_varint(0), ann.token)


def test_a_missing_token_is_no_session(running: Running) -> None:
    peer = running.peer()
    peer.sign_up("ann")
    for action, body in ((actions.LISTEN, LISTEN), (actions.SEND, send_body("ann")), (actions.LOG_OUT, b"")):
        for token, problem in ((b"", "MISSING"), (bytes(15) + b"\x01", "")):
            refused = refusal_of(peer, action, body, token)
            assert isinstance(refused, SessionInvalid)
            assert refused.problem == problem


@pytest.mark.parametrize(("write", "problem"), [(bytes.hex, "HEX"), (b64encode, "BASE64")])
def test_a_token_written_as_text_has_a_refusal_of_its_own(
    running: Running, write: Callable[[bytes], str | bytes], problem: str
) -> None:
    for action, body in ((actions.LISTEN, LISTEN), (actions.SEND, send_body("ann")), (actions.LOG_OUT, b"")):
        text = write(bytes(range(0xF0, 0x100)))
        # The rest of the text is no frame, so the server then closes the connection.
        peer = running.peer()
        refused = refusal_of(peer, action, body, text.encode() if isinstance(text, str) else text)
        assert isinstance(refused, SessionInvalid)
        assert refused.problem == problem


def test_a_ping_is_answered_with_its_own_bytes(running: Running) -> None:
    peer = running.peer()
    for payload in (b"", b"hi", os.urandom(1_000)):
        peer.send(actions.PING, pinging.encode_ping(pinging.ASK, payload))
        frame = peer.receive()
        assert frame is not None
        assert (frame.action, pinging.decode_ping(frame.body)) == (actions.PING, (pinging.ANSWER, payload))


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x02\x00", b"\x00\x05hi"], ids=bytes.hex)
def test_a_body_that_is_no_ping_is_malformed(running: Running, body: bytes) -> None:
    peer = running.peer()
    assert isinstance(refusal_of(peer, actions.PING, body), MalformedRequest)


def test_the_time_of_slow_work_does_not_count_for_a_half_sent_frame(running: Running) -> None:
    with served(running) as (peer, one, _):
        ann = peer.sign_up("ann")
        gate = Gate()
        running.store.before = lambda method: gate.hold() if method == "acknowledge" else None
        peer.ask(actions.SEND, send_body("ann"), ann.token)
        sends = encode_request(actions.ACKNOWLEDGE, encode_varint(1), ann.token) * 2
        peer.socket.sendall(sends[:-5])
        gate.wait_until_reached()
        assert one.is_answering
        assert one.frame_since is None
        moment = time.monotonic()
        gate.open()
        assert success(peer.reply()) == b""
        wait_until(lambda: one.frame_since is not None)
        assert one.frame_since is not None
        assert one.frame_since > moment
        since = one.frame_since
        peer.socket.sendall(sends[-5:] + sends[:9])
        assert success(peer.reply()) == b""
        wait_until(lambda: one.frame_since is not None and one.frame_since > since)


def test_a_write_that_goes_on_piece_by_piece_is_not_a_blocked_one(running: Running) -> None:
    with served(running) as (peer, one, _):
        ann = peer.sign_up("ann")
        peer.ask(actions.SEND, send_body("ann", "x" * TEXT_SIZE), ann.token)
        peer.send(actions.DELIVER, delivering.encode_deliver_request(actions.DeliverRequest()), ann.token)
        wait_until(lambda: one.writing_since is not None)
        blocked = one.writing_since
        received = 0
        while received < 4 * MOST:
            received += len(peer.socket.recv(MOST))
        wait_until(lambda: one.writing_since != blocked)


FROM_THE_START = delivering.encode_deliver_request(actions.DeliverRequest(after=0))


def test_nothing_pipelined_overtakes_a_send_that_the_store_failed(running: Running) -> None:
    peer = running.peer()
    token = peer.sign_up("ann").token
    appends = iter(range(100))

    def fail_second(method: str) -> None:
        if method == "append" and next(appends) == 1:
            raise StoreUnavailable

    running.store.before = fail_second
    # A DELIVER follows each SEND, so that no two SENDs are one commit.
    for text in ("one", "two", "three"):
        peer.send(actions.SEND, send_body("ann", text), token)
        peer.send(actions.DELIVER, FROM_THE_START, token)
    assert success(peer.reply())
    success(peer.reply())
    assert refusal(peer.reply()).reason == "STORE_UNAVAILABLE"
    assert peer.is_ended()
    again = running.peer()
    delivered = again.ask(actions.DELIVER, FROM_THE_START, token)
    assert [message.text for message in delivering.decode_delivery(delivered).messages] == ["one"]


def test_replies_keep_the_order_of_requests_in_any_order_of_storing(running: Running) -> None:
    with served(running) as (peer, one, _):
        frames = [encode_frame(actions.RESPONSE, b"%d" % number) for number in range(3)]
        runs = [run for _ in frames if (run := one._runs.begin())]
        for number in (2, 1):
            one._runs.settle(runs[number], (frames[number], False))
        assert one.is_answering
        one._runs.settle(runs[0], (frames[0], False))
        assert [peer.reply() for _ in runs] == [b"0", b"1", b"2"]
        assert not one.is_answering


def test_a_client_that_reads_no_replies_delays_nobody_and_is_not_read_for_ever(start: Callable[..., Running]) -> None:
    running = start(stuck_limit=PATIENCE)
    deaf, other = running.peer(), running.peer()
    ann = deaf.sign_up("ann")
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    refused = encode_request(actions.SEND, send_body("nobody"), ann.token) * 1_000
    deaf.socket.settimeout(1)
    sent = 0
    with suppress(TimeoutError):
        while sent < 50 << 20:
            deaf.socket.sendall(refused)
            sent += len(refused)
    assert sent < 50 << 20
    started = time.monotonic()
    for _ in range(20):
        other.ask(actions.SEND, send_body("ann"), ann.token)
    assert time.monotonic() - started < PATIENCE / 2
    deaf.close()
    wait_until(lambda: running.server.count == 1)


def test_requests_after_a_failed_send_do_not_keep_the_watchdog_away(running: Running) -> None:
    """The store's failure may arrive while the connection's own thread answers the requests after the SEND."""
    with served(running) as (peer, one, _):
        token = peer.sign_up("ann").token

        # A DELIVER calls the store's `after`.
        running.store.before = lambda method: one._close() if method == "after" else None
        peer.send(actions.DELIVER, FROM_THE_START, token)
        wait_until(lambda: one.over_since is not None and not one.is_answering)
        peer.send(actions.DELIVER, FROM_THE_START, token)
        assert peer.is_ended()


# Over a scripted stream


PING = encode_request(actions.PING, pinging.encode_ping(pinging.ASK, bytes(100)), bytes(16))
PONG = encode_frame(actions.PING, pinging.encode_ping(pinging.ANSWER, bytes(100)))


@contextmanager
def scripted(running: Running, *takes: int | OSError) -> Iterator[ScriptedStream]:
    """A connection over a scripted stream, with its thread, which ends when all that arrived is answered."""
    stream, slow_writer, unread = ScriptedStream(*takes), SlowWriter(), Unread()
    writer = FrameWriter(stream, slow_writer, unread)
    one = Connection(stream, Dispatcher(running.booth, unread), running.switchboard, 2 * TEXT_SIZE, writer)
    thread = threading.Thread(target=one.serve)
    thread.start()
    yield stream
    thread.join(PATIENCE)
    assert not thread.is_alive()
    slow_writer.stop()
    assert stream.calls[-1] == "close"


def test_a_stream_that_takes_little_and_nothing_is_answered_whole(running: Running) -> None:
    with scripted(running, 5, 0, 1, 0, 0, 50) as stream:
        stream.arrive(PING[:3], None, PING[3:] + PING, b"")
    assert stream.sent == 2 * PONG


def test_reading_continues_after_a_read_that_filled_its_buffer(running: Running) -> None:
    many = PING * 50
    assert len(many) > 2 * READ_SIZE
    with scripted(running) as stream:
        stream.arrive(many[:READ_SIZE], many[READ_SIZE:], b"")
    assert stream.sent == 50 * PONG


@pytest.mark.parametrize("error", [ConnectionResetError(), ConnectionAbortedError("not decrypted")], ids=str)
def test_a_stream_that_breaks_ends_the_connection(running: Running, error: OSError) -> None:
    with scripted(running) as stream:
        stream.arrive(PING, error)
    assert stream.sent == PONG


def test_a_refused_stream_is_ended_after_the_answer_and_is_read_further(running: Running) -> None:
    with scripted(running, 1, 0) as stream:
        stream.arrive(b"\x02", b"more", b"and more", b"")
    assert stream.calls == [f"end after {len(stream.sent)}", "cut off", "close"]
    assert isinstance(
        refusal(next(FrameDecoder(1_000, from_client=False).feed(bytes(stream.sent))).body), UnsupportedVersion
    )
