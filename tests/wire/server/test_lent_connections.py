"""Connections of clients that send steadily, which the shared reader reads."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.credentials import hash_token
from chatbooth_grpc.booth.errors import SessionInvalid, StoreUnavailable
from chatbooth_grpc.wire.encoding import delivering, lists, pinging, pushes
from chatbooth_grpc.wire.encoding.frames import encode_request
from chatbooth_grpc.wire.server.connection import _RUNS_IN_FLIGHT, Connection
from chatbooth_grpc.wire.server.sends import Sends
from chatbooth_grpc.wire.server.shared_reader import CAN_SHARE
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from tests.booth.spies import Gate
from tests.waiting import wait_until
from tests.wire.running import LISTEN, PATIENCE, Peer, Running, refusal, send_body, success

Start = Callable[..., Running]

pytestmark = pytest.mark.skipif(not CAN_SHARE, reason="the system has no epoll")


ENOUGH = 20
"""A connection is lent after fewer SENDs in a row than this."""


def lent(running: Running) -> list[object]:
    """The clients' addresses of the connections that are lent."""
    reader = running.server._shared_reader
    assert reader is not None
    streams = [stream for stream, one in list(reader._lent.values()) if isinstance(one, Connection)]
    return [stream._socket.getpeername() for stream in streams if isinstance(stream, PlainStream)]


def is_lent(running: Running, peer: Peer) -> bool:
    """Whether the reader has a peer's connection."""
    return peer.socket.getsockname() in lent(running)


def send_steadily(running: Running, peer: Peer, token: bytes, count: int = ENOUGH) -> None:
    """Send one after another to ann, until the connection is lent."""
    for number in range(count):
        peer.ask(actions.SEND, send_body("ann", f"{number}"), token)
    wait_until(lambda: is_lent(running, peer))


def test_a_steady_sender_is_lent_and_other_requests_are_answered_in_their_order(running: Running) -> None:
    peer = running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)
    listing = lists.encode_list_request(actions.ListRequest())
    mixed = [
        encode_request(actions.SEND, send_body("ann", "a"), token),
        encode_request(actions.LIST, listing, token),
        encode_request(actions.SEND, send_body("nobody"), token),
    ]
    peer.socket.sendall(b"".join(mixed))
    assert [peer.reply()[0] for _ in mixed] == [0, 0, 30]
    send_steadily(running, peer, token)
    everything = delivering.encode_deliver_request(actions.DeliverRequest(after=0))
    delivered = delivering.decode_delivery(peer.ask(actions.DELIVER, everything, token))
    texts = [str(number) for number in range(ENOUGH)]
    assert [message.text for message in delivered.messages] == [*texts, "a", *texts]


def test_a_listener_that_sends_steadily_has_its_pushes_between_its_replies(running: Running) -> None:
    peer = running.peer()
    token = peer.sign_up("ann").token
    peer.ask(actions.LISTEN, LISTEN, token)
    replies, texts = 0, list[str]()
    for number in range(3 * ENOUGH):
        peer.send(actions.SEND, send_body("ann", f"{number}"), token)
    while replies < 3 * ENOUGH or len(texts) < 3 * ENOUGH:
        frame = peer.receive()
        assert frame is not None
        if frame.action == actions.RESPONSE:
            assert frame.body[0] == 0
            replies += 1
        else:
            texts += [message.text for message in getattr(pushes.decode_push(frame.body), "messages", ())]
    assert texts == [str(number) for number in range(3 * ENOUGH)]


def test_a_frame_in_two_pieces_is_answered(running: Running) -> None:
    peer = running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)
    request = encode_request(actions.SEND, send_body("ann"), token)
    peer.socket.sendall(request + request[:10])
    assert success(peer.reply())
    assert not is_lent(running, peer)
    peer.socket.sendall(request[10:])
    assert success(peer.reply())


def test_a_session_that_has_ended_sends_nothing_more(running: Running) -> None:
    peer, other = running.peer(), running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)
    other.ask(actions.LOG_OUT, b"", token)
    peer.send(actions.SEND, send_body("ann"), token)
    assert isinstance(refusal(peer.reply()), SessionInvalid)


def test_the_sender_of_each_send_is_asked_for(running: Running) -> None:
    """To look up a session that is not cached, the shared reader would have to wait for the disk."""
    peer = running.peer()
    token, other = peer.sign_up("ann").token, peer.sign_up("ben").token
    send_steadily(running, peer, token)
    asking: list[str] = []

    def note(method: str) -> None:
        if method == "session" and not running.store.cached_session(hash_token(other)):
            asking.append(threading.current_thread().name)

    peer.ask(actions.SEND, send_body("ann"), other)
    send_steadily(running, peer, token)
    running.store.before = note
    del running.store._engine.sessions._sessions[hash_token(other)]
    peer.socket.sendall(b"".join(encode_request(actions.SEND, send_body("ann"), each) for each in (token, other)))
    assert success(peer.reply())
    assert success(peer.reply())
    assert set(asking) == {"wire-connection"}


def test_a_store_that_fails_ends_the_connection_after_the_stored_sends(running: Running) -> None:
    peer = running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)

    def fail(method: str) -> None:
        if method == "append":
            raise StoreUnavailable

    running.store.before = fail
    peer.send(actions.SEND, send_body("ann"), token)
    assert isinstance(refusal(peer.reply()), StoreUnavailable)
    peer.socket.sendall(encode_request(actions.SEND, send_body("ann"), token))
    assert peer.is_ended()
    peer.close()
    wait_until(lambda: running.server.count == 0 and not lent(running))


def test_nothing_is_taken_for_a_client_that_does_not_read_or_whose_connection_is_over(running: Running) -> None:
    peer = running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)
    [one] = running.server._connections
    request = encode_request(actions.SEND, send_body("ann"), token)
    one._writer._size = 1 << 20  # left to be written
    sends = Sends(running.booth)
    assert not one.take_quickly(request, sends)
    one._writer._size = 0
    assert one.take_quickly(request, sends)
    sends.store()
    assert success(peer.reply())
    one.over_since = time.monotonic()
    assert not one.take_quickly(request, sends)
    assert not one.is_answering


def test_no_more_runs_are_taken_than_may_be_in_flight(running: Running) -> None:
    peer = running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)
    disk = Gate()
    running.store.before = lambda method: disk.hold() if method == "append" else None
    [one] = running.server._connections
    for number in range(2 * _RUNS_IN_FLIGHT):
        peer.send(actions.SEND, send_body("ann"), token)
        # The server reads each SEND by itself, as long as it takes any.
        wait_until(lambda number=number: len(one._runs) >= min(number + 1, _RUNS_IN_FLIGHT))  # type: ignore[misc]
    wait_until(lambda: not is_lent(running, peer))
    assert len(one._runs) == _RUNS_IN_FLIGHT
    disk.open()
    assert [success(peer.reply()) != b"" for _ in range(2 * _RUNS_IN_FLIGHT)] == [True] * 2 * _RUNS_IN_FLIGHT


def test_a_client_that_goes_away_costs_nothing_more(running: Running) -> None:
    peers = [running.peer() for _ in range(8)]
    token = peers[0].sign_up("ann").token
    for peer in peers:
        for _ in range(ENOUGH):
            peer.ask(actions.SEND, send_body("ann"), token)
    wait_until(lambda: len(lent(running)) == len(peers))
    for peer in peers:
        peer.close()
    wait_until(lambda: running.server.count == 0 and not lent(running))


def test_an_idle_lent_connection_is_ended_on_time(start: Start) -> None:
    running = start(idle_timeout=0.5)
    peer = running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)
    assert peer.is_ended()
    wait_until(lambda: running.server.count == 0 and not lent(running))


def test_a_ping_is_asked_and_its_answer_heard(start: Start) -> None:
    running = start(keepalive_time=0.3, keepalive_timeout=1.0)
    peer = running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)
    for _ in range(6):
        frame = peer.receive()
        assert frame is not None
        assert frame.action == actions.PING
        _, payload = pinging.decode_ping(frame.body)
        peer.send(actions.PING, pinging.encode_ping(pinging.ANSWER, payload), token)
    assert running.server.count == 1


def test_a_drain_answers_what_was_read(running: Running) -> None:
    peer = running.peer()
    token = peer.sign_up("ann").token
    send_steadily(running, peer, token)
    draining = threading.Thread(target=running.drain)
    draining.start()
    assert peer.is_ended()
    draining.join(PATIENCE)
    assert not draining.is_alive()
    assert running.server.count == 0


def test_a_client_that_does_not_read_is_left_to_its_own_thread(start: Start) -> None:
    running = start(stuck_limit=PATIENCE)
    deaf, other = running.peer(), running.peer()
    token = deaf.sign_up("ann").token
    send_steadily(running, deaf, token)
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    small = encode_request(actions.SEND, send_body("nobody"), token)
    deaf.socket.setblocking(False)
    deadline = 200_000
    while deadline and wait_for_room(deaf.socket):
        deaf.socket.send(small)
        deadline -= 1
    assert deadline, "the server takes what it cannot answer, without end"
    assert not is_lent(running, deaf)
    for _ in range(ENOUGH):
        other.ask(actions.SEND, send_body("ann"), token)


def wait_for_room(connected: socket.socket) -> bool:
    """Wait until more can be written; say whether it could within a second."""
    return bool(select.select([], [connected], [], 1)[1])
