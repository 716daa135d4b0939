"""The wire's own server and client work over TLS without knowing it."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import (
    ACKNOWLEDGE,
    DELIVER,
    LOG_IN,
    LOG_OUT,
    SIGN_UP,
    AcknowledgeRequest,
    DeliverRequest,
    LogInRequest,
)
from chatbooth_grpc.booth.errors import RecipientNotFound, ServerUnreachable, SessionInvalid, TooBusy
from chatbooth_grpc.booth.model import MessageBatch, Opening, OutgoingMessage, Receipt
from chatbooth_grpc.wire.client.connecting import connect
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from chatbooth_grpc.wire.encoding import pushes
from chatbooth_grpc.wire.encoding.frames import FrameDecoder, encode_request
from chatbooth_grpc.wire.server import connection
from chatbooth_grpc.wire.server.shared_reader import CAN_SHARE
from chatbooth_grpc.wire.streams.byte_stream import ByteStream
from chatbooth_grpc.wire.streams.tls_stream import TlsStream, tls_client, tls_server
from tests.booth.cheap_passwords import PASSWORD
from tests.waiting import wait_until
from tests.wire.certificates import Certificate
from tests.wire.running import LISTEN, PATIENCE, TEXT_SIZE, Running, send_body


@pytest.fixture(params=["own threads", "lent at once"])
def running(
    certificate: Certificate, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Running]:
    """A server that encrypts."""
    if request.param == "lent at once":
        monkeypatch.setattr(connection, "_READS_BEFORE_LENDING", 0)
    with Running(tmp_path / "chatbooth.db", open_stream=tls_server(certificate.server)) as running:
        yield running


@pytest.fixture
def open_stream(certificate: Certificate) -> Callable[[socket.socket], TlsStream]:
    """Make a client's encrypted stream."""
    return tls_client(certificate.client(), "localhost")


@pytest.fixture
def transport(running: Running, open_stream: Callable[[socket.socket], TlsStream]) -> Iterator[WireTransport]:
    """A transport to the server."""
    transport = WireTransport(running.address, open_stream)
    yield transport
    transport.close()


def message(recipient: str, text: str) -> OutgoingMessage:
    return OutgoingMessage(recipient, os.urandom(16), text.encode())


def texts_delivered(transport: WireTransport, token: bytes) -> list[str]:
    """Return the texts of all messages of a mailbox."""
    texts = list[str]()
    while messages := transport.call(DELIVER, token, DeliverRequest(0, len(texts)), PATIENCE).messages:
        texts += [each.text for each in messages]
    return texts


def test_calls_are_answered_and_refused(transport: WireTransport) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    transport.send(token, message("ann", "hello"), timeout=PATIENCE)
    with pytest.raises(RecipientNotFound):
        transport.send(token, message("nobody", "hello"), timeout=PATIENCE)
    large = "x" * TEXT_SIZE
    transport.send(token, message("ann", large), timeout=PATIENCE)
    assert texts_delivered(transport, token) == ["hello", large]
    transport.call(LOG_OUT, token, None, PATIENCE)
    with pytest.raises(SessionInvalid):
        transport.call(ACKNOWLEDGE, token, AcknowledgeRequest(1), PATIENCE)


def test_calls_of_many_threads_share_a_connection(running: Running, transport: WireTransport) -> None:
    """Requests are encrypted on many threads while replies are decrypted on another."""
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    threads = [
        threading.Thread(
            target=lambda: [transport.send(token, message("ann", "x" * 999), timeout=PATIENCE) for _ in range(50)]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    transport.call(ACKNOWLEDGE, token, AcknowledgeRequest(200), PATIENCE)
    assert running.server.count == 1


def test_pipelined_sends_are_stored_in_order(transport: WireTransport) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    with closing(transport.send_stream(token)) as stream:
        for batch in range(6):
            stream.send([message("ann", f"{batch}.{number} " + "x" * 300) for number in range(64)])
        outcomes = [outcome for _ in range(6) for outcome in stream.receive()]
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    texts = [text.split()[0] for text in texts_delivered(transport, token)]
    assert texts == [f"{batch}.{number}" for batch in range(6) for number in range(64)]


def test_a_listener_hears_everything_in_order_and_its_end(running: Running, transport: WireTransport) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    events = iter(transport.listen(token, None))
    assert isinstance(next(events), Opening)
    texts = [f"{number} " + "x" * (number * 997 % 20_000) for number in range(40)]
    for text in texts:
        transport.send(token, message("ann", text), timeout=PATIENCE)
    heard: list[str] = []
    while len(heard) < len(texts):
        event = next(events)
        assert isinstance(event, MessageBatch)
        heard += [each.text for each in event.messages]
    assert heard == texts
    running.drain()
    with pytest.raises(ServerUnreachable):  # it is going away, or gone
        list(events)


@pytest.mark.skipif(not CAN_SHARE, reason="the system has no epoll")
def test_the_shared_reader_reads_for_a_steady_sender(running: Running, transport: WireTransport) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    for number in range(40):
        transport.send(token, message("ann", f"{number}"), timeout=PATIENCE)
    reader = running.server._shared_reader
    assert reader is not None
    wait_until(lambda: bool(reader._lent))


def test_a_client_that_reads_nothing_holds_nobody_up_and_gets_all_at_last(
    running: Running, transport: WireTransport, open_stream: Callable[[socket.socket], TlsStream]
) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    with closing(connect(running.address, PATIENCE, open_stream)) as slow:
        slow.send_now(encode_request(actions.LISTEN, LISTEN, token))
        # The buffers of both systems hold less than this.
        count = 16
        for sequence in range(1, count + 1):
            transport.send(token, message("ann", f"{sequence} " + "x" * (TEXT_SIZE - 10)), timeout=PATIENCE)
            transport.call(ACKNOWLEDGE, token, AcknowledgeRequest(sequence), PATIENCE)  # opens the stream's window
        wait_until(lambda: any(one.writing_since for one in running.server._connections))
        transport.send(token, message("ann", "the last one"), timeout=PATIENCE)
        assert texts_of(slow, count + 1)[-1] == "the last one"
    wait_until(lambda: running.server.count == 1)


def texts_of(stream: ByteStream, count: int) -> list[str]:
    """Read a live stream until `count` messages have come."""
    decoder, texts = FrameDecoder(1 << 30, from_client=False), list[str]()
    while len(texts) < count:
        for frame in decoder.feed(stream.receive(1 << 16)):
            push = pushes.decode_push(frame.body) if frame.action == actions.MESSAGE else None
            texts += [each.text for each in getattr(push, "messages", ())]
    assert [text.split()[0] for text in texts[:-1]] == [str(number) for number in range(1, count)]
    return texts


def test_a_request_in_pieces_and_several_in_one_record_are_answered(
    running: Running, transport: WireTransport, open_stream: Callable[[socket.socket], TlsStream]
) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    requests = b"".join(encode_request(actions.SEND, send_body("ann", str(number)), token) for number in range(50))
    with closing(connect(running.address, PATIENCE, open_stream)) as stream:
        for start in range(0, 1_000, 100):
            stream.send_now(requests[start : start + 100])
        stream.send_now(requests[1_000:])
        stream.end()
        decoder, replies = FrameDecoder(1 << 20, from_client=False), list[bytes]()
        while data := stream.receive(1 << 16):
            replies += [frame.body for frame in decoder.feed(data)]
    assert [reply[0] for reply in replies] == [0] * 50


def test_nothing_travels_in_plain(running: Running, open_stream: Callable[[socket.socket], TlsStream]) -> None:
    """A wiretap between the two hears neither a token nor a text, whichever of the ways of writing it took."""
    with Wiretap(running.port) as tap:
        transport = WireTransport(tap.address, open_stream)
        token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
        events = iter(transport.listen(token, None))
        assert isinstance(next(events), Opening)
        for _ in range(20):
            transport.send(token, message("ann", "a secret text"), timeout=PATIENCE)
        heard = 0
        while heard < 20:
            event = next(events)
            assert isinstance(event, MessageBatch)
            heard += len(event.messages)
        assert transport.call(DELIVER, token, DeliverRequest(0, 0), PATIENCE).messages[0].text == "a secret text"
        transport.close()
    assert len(tap.heard) > 20 * len("a secret text")
    assert b"secret" not in tap.heard
    assert token not in tap.heard
    assert PASSWORD.encode() not in tap.heard


class Wiretap:
    """Passes all bytes on between its clients and a server, and keeps them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heard = bytearray()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._sides: dict[socket.socket, socket.socket] = {}
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Wiretap:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.send(b"x")
        self._thread.join(PATIENCE)
        for each in (*self._sides, self._listening, self._stop, self._stopped):
            each.close()

    def _run(self) -> None:
        while True:
            ready = select.select([self._listening, self._stopped, *self._sides], [], [])[0]
            if self._stopped in ready:
                return
            for each in ready:
                if each is self._listening:
                    self._join(each.accept()[0])
                elif each in self._sides:
                    self._pass_on(each)

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._port))
        self._sides |= {client: server, server: client}

    def _pass_on(self, side: socket.socket) -> None:
        other = self._sides[side]
        if data := side.recv(1 << 16):
            self.heard += data
            other.sendall(data)
            return
        for each in (side, other):
            del self._sides[each]
            each.close()


def test_a_client_that_speaks_plainly_costs_nothing_and_the_others_continue(
    running: Running, transport: WireTransport, caplog: pytest.LogCaptureFixture
) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    plain = WireTransport(running.address)
    with pytest.raises(ServerUnreachable):
        plain.call(LOG_IN, b"", LogInRequest("ann", PASSWORD), PATIENCE)
    plain.close()
    transport.call(ACKNOWLEDGE, token, AcknowledgeRequest(0), PATIENCE)
    wait_until(lambda: running.server.count == 1)
    assert caplog.text == ""


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"], ids=["silent", "stalled"])
def test_a_client_that_never_agrees_is_ended_by_the_watchdog(
    certificate: Certificate, tmp_path: Path, sent: bytes
) -> None:
    """Nothing can be asked of such a client, so only the limit of a handshake ends it."""
    opening = tls_server(certificate.server)
    with Running(tmp_path / "chatbooth.db", open_stream=opening, handshake_limit=0.2) as running:
        peer = running.peer()
        peer.socket.sendall(sent)
        assert peer.is_ended()
        wait_until(lambda: running.server.count == 0)


def test_stalled_handshakes_count_as_connections_and_others_work_meanwhile(
    running: Running, transport: WireTransport
) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    for _ in range(200):
        running.peer().socket.sendall(b"\x16\x03\x01\x02\x00")
    wait_until(lambda: running.server.count == 201)
    for number in range(20):
        transport.send(token, message("ann", f"{number}"), timeout=PATIENCE)
    assert texts_delivered(transport, token) == [str(number) for number in range(20)]


def test_bytes_that_are_no_handshake_end_the_connection_and_leave_no_trace(
    running: Running, transport: WireTransport, caplog: pytest.LogCaptureFixture
) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", bytes(600), os.urandom(3_000), b"\x16\x03\x01\x00\x05hello"):
        peer = running.peer()
        peer.socket.sendall(garbage)
        # The server's alert may come first, or a reset.
        with suppress(ConnectionError):
            while peer.socket.recv(1 << 16):
                pass
    transport.call(ACKNOWLEDGE, token, AcknowledgeRequest(0), PATIENCE)
    wait_until(lambda: running.server.count == 1)
    assert caplog.text == ""


def test_a_client_over_the_limit_reads_why_it_is_refused(
    certificate: Certificate, tmp_path: Path, open_stream: Callable[[socket.socket], TlsStream]
) -> None:
    opening = tls_server(certificate.server)
    with Running(tmp_path / "chatbooth.db", open_stream=opening, max_connections=1) as running:
        first, second = (WireTransport(running.address, open_stream) for _ in range(2))
        token = first.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
        with pytest.raises(TooBusy, match="1 connections"):
            second.call(SIGN_UP, b"", LogInRequest("ben", PASSWORD), PATIENCE)
        first.call(ACKNOWLEDGE, token, AcknowledgeRequest(0), PATIENCE)
        first.close()
        wait_until(lambda: running.server.count == 0)
        second.call(SIGN_UP, b"", LogInRequest("ben", PASSWORD), PATIENCE)
        second.close()


def test_a_drain_answers_what_was_read(running: Running, transport: WireTransport) -> None:
    token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE).token
    transport.send(token, message("ann", "stored"), timeout=PATIENCE)
    running.drain()
    assert running.server.count == 0
    with pytest.raises(ServerUnreachable):
        transport.call(ACKNOWLEDGE, token, AcknowledgeRequest(0), PATIENCE)
