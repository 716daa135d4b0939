"""A connection's live stream: it opens, ends, and shares the connection with replies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import (
    AlreadyListening,
    CursorPastEnd,
    SessionInvalid,
    StoreUnavailable,
    TooBusy,
)
from chatbooth_grpc.booth.model import End, EndReason, MessageBatch, Opening
from chatbooth_grpc.live.unread import SHARE_SIZE
from chatbooth_grpc.wire.encoding import lists, pushes
from chatbooth_grpc.wire.encoding.frames import encode_request
from chatbooth_grpc.wire.encoding.primitives import encode_varint
from tests.booth.spies import Gate
from tests.waiting import wait_until
from tests.wire.running import LISTEN, PATIENCE, TEXT_SIZE, Running, refusal, refusal_of, send_body, success
from tests.wire.served_connection import served


def test_a_push_never_tears_a_reply(running: Running) -> None:
    """A stream under load while requests are pipelined on its connection, from two directions at once."""
    listening, sending = running.peer(), running.peer()
    ann, ben = listening.sign_up("ann"), sending.sign_up("ben")
    listening.ask(actions.LISTEN, LISTEN, ann.token)
    total, requests = 240, 400

    def send() -> None:
        for number in range(total):
            sending.ask(actions.SEND, send_body("ann", f"{number} " + "x" * (number * 37 % 3_000)), ben.token)

    def pipeline() -> None:
        one = encode_request(actions.LIST, lists.encode_list_request(actions.ListRequest()), ann.token)
        for _ in range(requests // 8):
            listening.socket.sendall(one * 8)

    threads = [threading.Thread(target=send), threading.Thread(target=pipeline)]
    for thread in threads:
        thread.start()
    texts: list[str] = []
    replies = 0
    while len(texts) < total or replies < requests:
        frame = listening.receive()
        assert frame is not None
        if frame.action == actions.RESPONSE:
            assert lists.decode_page(success(frame.body)).usernames == ["ann", "ben"]
            replies += 1
        else:
            push = pushes.decode_push(frame.body)
            if isinstance(push, MessageBatch):
                texts += [message.text for message in push.messages]
    for thread in threads:
        thread.join(PATIENCE)
    assert [text.split()[0] for text in texts] == [str(number) for number in range(total)]
    assert replies == requests


def test_a_stream_opens_after_its_reply_and_ends_with_its_error(running: Running) -> None:
    peer, other = running.peer(), running.peer()
    ann = peer.sign_up("ann")
    peer.ask(actions.SEND, send_body("ann", "before"), ann.token)
    assert peer.ask(actions.LISTEN, LISTEN, ann.token) == b""
    opening, batch = peer.pushed(), peer.pushed()
    assert isinstance(opening, Opening)
    assert (opening.account_id, opening.resumed_after, opening.replaying) == (ann.account_id, 0, 1)
    assert [message.text for message in batch.messages] == ["before"]
    other.ask(actions.LOG_OUT, b"", ann.token)
    ended = peer.pushed()
    assert ended.end == End(EndReason.SESSION_ENDED, 1)
    assert isinstance(ended.error, SessionInvalid)
    assert isinstance(refusal_of(peer, actions.LISTEN, LISTEN, ann.token), SessionInvalid)


def test_a_connection_has_one_stream_at_a_time(running: Running) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    peer.ask(actions.LISTEN, LISTEN, ann.token)
    assert isinstance(peer.pushed(), Opening)
    for _ in range(2):
        assert isinstance(refusal_of(peer, actions.LISTEN, LISTEN, ann.token), AlreadyListening)
    assert running.switchboard.count == 1
    running.peer().ask(actions.SEND, send_body("ann", "still here"), ann.token)
    assert isinstance(peer.pushed(), MessageBatch)


def test_a_client_that_has_read_the_end_may_listen_again(running: Running) -> None:
    peer = running.peer()
    session = peer.sign_up("ann")
    for _ in range(30):
        past_end = pushes.encode_listen_request(10)
        peer.ask(actions.LISTEN, past_end, session.token)
        ended = peer.pushed()
        assert isinstance(ended.error, CursorPastEnd)
    wait_until(lambda: running.switchboard.count == 0)


def test_a_store_that_fails_ends_the_stream_and_not_the_connection(running: Running) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")

    def away(method: str) -> None:
        if method == "after":
            raise StoreUnavailable

    running.store.before = away
    peer.ask(actions.LISTEN, LISTEN, ann.token)
    ended = peer.pushed()
    assert (ended.end.reason, type(ended.error)) == (EndReason.FAILED, StoreUnavailable)
    running.store.before = lambda _: None
    peer.ask(actions.LISTEN, LISTEN, ann.token)
    assert isinstance(peer.pushed(), Opening)


def test_an_account_that_leaves_too_much_unread_opens_no_more_streams(running: Running) -> None:
    peer = running.peer()
    ann = peer.sign_up("ann")
    unread = running.server._unread
    held = unread.hold(SHARE_SIZE + 1, (ann.account_id,), lambda: None)
    peer.send(actions.LISTEN, LISTEN, ann.token)
    assert isinstance(refusal(peer.reply()), TooBusy)
    unread.release(held)
    peer.ask(actions.LISTEN, LISTEN, ann.token)


def test_a_client_that_goes_while_it_opens_a_stream_is_no_bug(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with served(running) as (peer, _, ending):
        ann = peer.sign_up("ann")
        gate = Gate()
        running.store.before = lambda method: gate.hold() if method == "session" else None
        peer.send(actions.LISTEN, LISTEN, ann.token)
        gate.wait_until_reached()
        peer.close()
        gate.open()
        wait_until(lambda: ending.fileno() == -1)
    wait_until(lambda: running.switchboard.count == 0)
    assert caplog.text == ""


def test_a_client_that_half_closes_and_does_not_read_frees_the_writer(start: Callable[..., Running]) -> None:
    """The pump's write blocks on a socket that nobody but the connection's own thread knows to be over."""
    running = start(stuck_limit=PATIENCE)
    peer, other = running.peer(), running.peer()
    ann = peer.sign_up("ann")
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    for _ in range(12):
        other.ask(actions.SEND, send_body("ann", "x" * (TEXT_SIZE - 1)), ann.token)
    peer.ask(actions.LISTEN, LISTEN, ann.token)
    for sequence in range(1, 12):  # open the window, without reading
        other.ask(actions.ACKNOWLEDGE, encode_varint(sequence), ann.token)
    wait_until(lambda: any(one.writing_since for one in running.server._connections))
    peer.socket.shutdown(socket.SHUT_WR)
    wait_until(lambda: running.server.count == 1 and running.switchboard.count == 0, within=10)
