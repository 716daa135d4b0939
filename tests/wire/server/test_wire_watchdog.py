"""The watchdog: it ends connections that are idle, stuck, frozen or half sent."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.model import MessageBatch, Opening
from chatbooth_grpc.wire.encoding import delivering, pinging, pushes
from chatbooth_grpc.wire.encoding.frames import encode_frame, encode_request
from chatbooth_grpc.wire.encoding.primitives import encode_varint
from tests.booth.spies import Gate
from tests.waiting import wait_until
from tests.wire.running import (
    LISTEN,
    PATIENCE,
    TEXT_SIZE,
    Running,
    connection_threads,
    send_body,
    success,
)

Start = Callable[..., Running]

SHORT = 0.5
"""A limit, in seconds, that a test waits for."""

PING = encode_frame(actions.PING, pinging.encode_ping(pinging.ASK))


def test_an_idle_connection_is_closed_on_time_with_its_thread(start: Start) -> None:
    running = start(idle_timeout=SHORT)
    peer = running.peer()
    peer.sign_up("ann")
    assert connection_threads() == 1
    started = time.monotonic()
    assert peer.is_ended()
    assert SHORT * 0.9 < time.monotonic() - started < SHORT + 10
    wait_until(lambda: connection_threads() == 0)


def test_pings_are_no_use_but_requests_are(start: Start) -> None:
    running = start(idle_timeout=SHORT)
    alive, asking = running.peer(), running.peer()
    token = asking.sign_up("ann").token
    ended = threading.Event()

    def ping() -> None:
        try:
            while not ended.wait(SHORT / 10):
                alive.send(actions.PING, pinging.encode_ping(pinging.ASK))
        except OSError:
            ended.set()

    thread = threading.Thread(target=ping)
    thread.start()
    while not ended.wait(SHORT / 10):
        asking.ask(actions.ACKNOWLEDGE, encode_varint(0), token)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    # The other connection is still served.
    asking.ask(actions.ACKNOWLEDGE, encode_varint(0), token)


def test_an_open_stream_is_use_until_it_ends(start: Start) -> None:
    running = start(idle_timeout=SHORT)
    listening, idle = running.peer(), running.peer()
    token = listening.sign_up("ann").token
    listening.ask(actions.LISTEN, LISTEN, token)
    assert isinstance(listening.pushed(), Opening)
    assert idle.is_ended()
    assert running.switchboard.count == 1
    running.peer().ask(actions.LOG_OUT, b"", token)
    assert isinstance(listening.pushed(), pushes.Ended)
    assert listening.is_ended()


def test_a_request_at_work_is_use(start: Start) -> None:
    running = start(idle_timeout=SHORT, keepalive_time=SHORT, keepalive_timeout=SHORT)
    peer, idle = running.peer(), running.peer()
    token = peer.sign_up("ann").token
    idle.sign_up("ben")
    gate = Gate()
    running.store.before = lambda method: gate.hold() if method == "append" else None
    peer.send(actions.SEND, send_body("ann"), token)
    gate.wait_until_reached()
    assert idle.is_ended() or idle.is_ended()  # it is pinged first
    gate.open()
    assert success(peer.reply())


@pytest.mark.parametrize("begun", [b"\x01", b"\x01\x03\x00\x00\x00\x08abc", encode_request(actions.LOG_OUT, b"")[:-1]])
def test_a_frame_that_stays_incomplete_is_ended(start: Start, begun: bytes) -> None:
    running = start(frame_limit=SHORT)
    peer = running.peer()
    peer.socket.sendall(begun)
    started = time.monotonic()
    assert peer.is_ended()
    assert time.monotonic() - started < SHORT + 10
    wait_until(lambda: running.server.count == 0)


def test_a_frame_that_comes_drop_by_drop_is_ended(start: Start) -> None:
    running = start(frame_limit=SHORT)
    peer = running.peer()
    request = encode_request(actions.LOG_OUT, b"x" * 10_000)
    sent = 0
    with contextlib.suppress(ConnectionError):
        for byte in request:
            peer.socket.sendall(bytes((byte,)))
            sent += 1
            threading.Event().wait(0.01)
    assert 0 < sent < 10_000


def test_whole_frames_that_never_end_on_a_read_are_no_slow_one(start: Start) -> None:
    """A client that pipelines without a pause has a frame cut at the end of nearly every read."""
    running = start(frame_limit=SHORT)
    peer = running.peer()
    token = peer.sign_up("ann").token
    one = encode_request(actions.ACKNOWLEDGE, encode_varint(0), token)
    peer.socket.sendall(one[:10])
    until = time.monotonic() + 3 * SHORT
    answered = 0
    while time.monotonic() < until:
        peer.socket.sendall(one[10:] + one[:10])
        assert peer.reply() == b"\x00"
        answered += 1
        threading.Event().wait(0.01)
    assert answered > 10


def test_a_client_that_never_reads_is_cut_off_and_delays_nobody(start: Start) -> None:
    running = start(stuck_limit=SHORT)
    deaf, other = running.peer(), running.peer()
    token = deaf.sign_up("ann").token
    for _ in range(4):
        other.ask(actions.SEND, send_body("ann", "x" * TEXT_SIZE), token)
    deliver = encode_request(actions.DELIVER, delivering.encode_deliver_request(actions.DeliverRequest()), token)
    sends = 0
    with contextlib.suppress(ConnectionError):
        while True:
            deaf.socket.sendall(deliver * 100)
            sends += 1
    assert sends
    wait_until(lambda: running.server.count == 1)
    other.ask(actions.ACKNOWLEDGE, encode_varint(0), token)


def test_a_stream_that_is_never_read_is_cut_off(start: Start) -> None:
    running = start(stuck_limit=SHORT)
    deaf, other = running.peer(), running.peer()
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    token = deaf.sign_up("ann").token
    deaf.ask(actions.LISTEN, LISTEN, token)
    for sequence in range(1, 13):
        other.ask(actions.SEND, send_body("ann", "x" * (TEXT_SIZE - 1)), token)
        other.ask(actions.ACKNOWLEDGE, encode_varint(sequence), token)
    wait_until(lambda: running.server.count == 1)
    wait_until(lambda: running.switchboard.count == 0)


def test_a_frozen_peer_is_found_by_a_ping_and_one_that_answers_stays(start: Start) -> None:
    running = start(keepalive_time=SHORT / 2, keepalive_timeout=2.0)
    frozen, alive = running.peer(), running.peer()
    frozen_token, alive_token = frozen.sign_up("ann").token, alive.sign_up("ben").token
    for peer, token in ((frozen, frozen_token), (alive, alive_token)):
        peer.ask(actions.LISTEN, LISTEN, token)
        assert isinstance(peer.pushed(), Opening)
    while running.server.count == 2:
        frame = alive.receive()
        assert frame is not None
        assert frame.action == actions.PING
        kind, payload = pinging.decode_ping(frame.body)
        assert kind == pinging.ASK
        alive.send(actions.PING, pinging.encode_ping(pinging.ANSWER, payload))
    wait_until(lambda: running.switchboard.count == 1)
    assert [frozen.socket.recv(64), frozen.socket.recv(64)] == [PING, b""]
    running.peer().ask(actions.SEND, send_body("ben", "hello"), alive_token)
    while (frame := alive.receive()) is not None and frame.action != actions.MESSAGE:
        assert frame.action == actions.PING
    assert frame is not None
    assert isinstance(pushes.decode_push(frame.body), MessageBatch)
