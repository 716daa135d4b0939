"""The client's side: deadlines that hold, connections that are shared, made again and given up, streams."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    Internal,
    RecipientNotFound,
    ServerUnreachable,
    SessionInvalid,
    TooBusy,
)
from chatbooth_grpc.booth.model import (
    End,
    EndReason,
    Gap,
    GapReason,
    MessageBatch,
    Opening,
    OutgoingMessage,
    UnknownEvent,
)
from chatbooth_grpc.wire.client import wire_transport as client
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from chatbooth_grpc.wire.encoding import pinging, pushes
from chatbooth_grpc.wire.encoding.codes import encode_error
from chatbooth_grpc.wire.encoding.frames import Frame, FrameDecoder, encode_frame
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.spies import Gate
from tests.waiting import wait_until
from tests.wire.running import PATIENCE, TEXT_SIZE, Running

TOKEN = bytes(range(16))
OPENED = encode_frame(actions.MESSAGE, pushes.encode_event(Opening(bytes(16), 1, 0, 0)))
DONE = encode_frame(actions.RESPONSE, b"\x00")


@pytest.fixture
def transport(running: Running) -> Iterator[WireTransport]:
    """A transport to the running server."""
    transport = WireTransport(running.address)
    yield transport
    transport.close()


@contextmanager
def scripted(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection after another, each by a function; give the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)

        def serve() -> None:
            for answer in answers:
                connected, _ = listening.accept()
                with connected:
                    connected.settimeout(PATIENCE)
                    answer(connected)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(PATIENCE)
        assert not thread.is_alive()


def requests(connected: socket.socket) -> Iterator[Frame]:
    """Yield what a client asks, to the end of its connection."""
    decoder = FrameDecoder(1 << 30, from_client=True)
    while data := _received(connected):
        yield from decoder.feed(data)


def _received(connected: socket.socket) -> bytes:
    try:
        return connected.recv(64 << 10)
    except ConnectionError:
        return b""


def answering(*replies: bytes) -> Callable[[socket.socket], None]:
    """Return a server's side that answers each request with the next bytes, then waits for the client to go."""

    def answer(connected: socket.socket) -> None:
        left = list(replies)
        for _ in requests(connected):
            if left:
                connected.sendall(left.pop(0))

    return answer


def silent(connected: socket.socket) -> None:
    """Read, and say nothing."""
    for _ in requests(connected):
        pass


def deaf_until(gate: Gate) -> Callable[[socket.socket], None]:
    """Return a server's side that reads nothing until the gate is opened, as a frozen one."""

    def answer(connected: socket.socket) -> None:
        gate.hold()
        silent(connected)

    return answer


def reader_threads() -> int:
    """How many connections for calls are read here."""
    return sum(thread.name == "wire-reader" for thread in threading.enumerate())


def test_calls_of_many_threads_share_a_connection_and_get_their_own_replies(
    running: Running, transport: WireTransport
) -> None:
    names = [f"name{number}" for number in range(8)]
    sessions = {name: transport.sign_up(name, PASSWORD, timeout=PATIENCE) for name in names}

    def work(name: str) -> list[str]:
        session = sessions[name]
        for number in range(30):
            message = OutgoingMessage(name, struct.pack(">QQ", number + 1, 7), f"{name} {number}".encode())
            transport.send(session.token, message, timeout=PATIENCE)
            page = transport.list(session.token, f"^{name}$", "", 0, "", timeout=PATIENCE)
            assert page.usernames == [name]
            other = OutgoingMessage(f"not-{name}", message.message_id, b"x")
            with pytest.raises(RecipientNotFound, match=f"not-{name}"):
                transport.send(session.token, other, timeout=PATIENCE)
        delivery = transport.deliver(session.token, 0, None, 0, timeout=PATIENCE)
        return [message.text for message in delivery.messages]

    with ThreadPoolExecutor(8) as pool:
        for name, texts in zip(names, pool.map(work, names), strict=True):
            assert texts == [f"{name} {number}" for number in range(30)]
    assert running.server.count == 1


def test_large_requests_and_large_replies_do_not_wait_for_each_other(
    running: Running, transport: WireTransport
) -> None:
    session = transport.sign_up("ann", PASSWORD, timeout=PATIENCE)

    def work(number: int) -> None:
        message = OutgoingMessage("ann", struct.pack(">QQ", number + 1, 7), b"x" * TEXT_SIZE)
        transport.send(session.token, message, timeout=PATIENCE)
        assert transport.deliver(session.token, 0, None, 0, timeout=PATIENCE).messages

    work(1_000)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(64)))
    assert running.server.count == 1


def test_a_call_has_its_deadline_and_gives_its_connection_up() -> None:
    before = reader_threads()
    with scripted(silent, answering(DONE)) as address:
        transport = WireTransport(address)
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            transport.acknowledge(TOKEN, 1, timeout=0.2)
        assert time.monotonic() - started < 5
        wait_until(lambda: reader_threads() == before)
        transport.acknowledge(TOKEN, 1, timeout=PATIENCE)
        transport.close()
    wait_until(lambda: reader_threads() == before)


def test_a_write_has_the_deadline_too_and_so_has_who_waits_for_it() -> None:
    gate = Gate()
    with scripted(deaf_until(gate)) as address:
        transport = WireTransport(address)
        large = OutgoingMessage("ann", TOKEN, b"x" * (16 << 20))
        outcomes: list[ChatboothError] = []

        def send() -> None:
            try:
                transport.send(TOKEN, large, timeout=1.0)
            except ChatboothError as error:
                outcomes.append(error)

        started = time.monotonic()
        first = threading.Thread(target=send)
        first.start()
        gate.wait_until_reached()
        with pytest.raises((DeadlineExceeded, ServerUnreachable)):
            transport.acknowledge(TOKEN, 1, timeout=0.2)
        assert time.monotonic() - started < 5
        first.join(PATIENCE)
        assert time.monotonic() - started < 10
        assert len(outcomes) == 1
        gate.open()
        transport.close()


def test_one_call_that_waits_no_longer_leaves_the_others_waiting() -> None:
    asked = threading.Semaphore(0)
    answer_now = threading.Event()

    def slow(connected: socket.socket) -> None:
        for _ in requests(connected):
            asked.release()
            if answer_now.wait(PATIENCE):
                connected.sendall(DONE)

    with scripted(slow) as address, ThreadPoolExecutor(2) as pool:
        transport = WireTransport(address)
        impatient = pool.submit(transport.acknowledge, TOKEN, 1, timeout=0.3)
        assert asked.acquire(timeout=PATIENCE)
        patient = pool.submit(transport.acknowledge, TOKEN, 2, timeout=PATIENCE)
        assert isinstance(impatient.exception(), DeadlineExceeded)
        answer_now.set()
        error = patient.exception()
        assert error is None or isinstance(error, ServerUnreachable)  # it may have come on a connection given up
        transport.close()


def test_a_server_that_closes_an_idle_connection_is_no_failure(running: Running, transport: WireTransport) -> None:
    session = transport.sign_up("ann", PASSWORD, timeout=PATIENCE)
    for _ in range(3):
        for one in list(running.server._connections):
            one.shut_down()
        wait_until(lambda: transport._calls is None or transport._calls.is_over)
        transport.acknowledge(session.token, 0, timeout=PATIENCE)


def test_a_refusal_at_the_door_is_what_the_call_raises(start: Callable[..., Running]) -> None:
    running = start(max_connections=1)
    running.peer().sign_up("ann")
    for size in (1, 8 << 20):
        transport = WireTransport(running.address)
        with pytest.raises((TooBusy, ServerUnreachable)) as caught:
            transport.send(TOKEN, OutgoingMessage("ann", TOKEN, b"x" * size), timeout=PATIENCE)
        assert size > 1 or isinstance(caught.value, TooBusy)
        transport.close()


def test_nobody_there_is_said_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for server in (f"127.0.0.1:{port}", f"[::1]:{port}"):
        transport = WireTransport(server)
        with pytest.raises(ServerUnreachable, match=str(port)):
            transport.log_out(TOKEN, timeout=PATIENCE)
        with pytest.raises(ServerUnreachable):
            next(iter(transport.listen(TOKEN, None)))


def test_a_closed_transport_calls_no_more(running: Running, transport: WireTransport) -> None:
    transport.sign_up("ann", PASSWORD, timeout=PATIENCE)
    transport.close()
    with pytest.raises(ServerUnreachable):
        transport.log_in("ann", PASSWORD, timeout=PATIENCE)
    with pytest.raises(ServerUnreachable):
        transport.listen(TOKEN, None)
    wait_until(lambda: running.server.count == 0)


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x12\x04\x00", b"\x01\x0a\xff\xff\xff\xff", b"\x01\x0a\x00", b""],
)
def test_a_server_of_another_kind_is_not_reached(answer: bytes) -> None:
    def other(connected: socket.socket) -> None:
        connected.recv(1)
        connected.sendall(answer)

    with scripted(other, other) as address:
        transport = WireTransport(address)
        with pytest.raises(ServerUnreachable):
            transport.acknowledge(TOKEN, 1, timeout=PATIENCE)
        with pytest.raises(ServerUnreachable):
            list(transport.listen(TOKEN, None))
        transport.close()


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x01\x02", b"\x14\xff"])
def test_a_reply_that_cannot_be_read_is_a_defect(body: bytes) -> None:
    with scripted(answering(encode_frame(actions.RESPONSE, body))) as address:
        transport = WireTransport(address)
        with pytest.raises(Internal):
            transport.change_password(TOKEN, "old", "new", timeout=PATIENCE)
        transport.close()


def test_a_ping_of_the_servers_is_answered_while_nothing_else_is_asked() -> None:
    answers: list[Frame] = []

    def ask_and_read(connected: socket.socket) -> None:
        asked = requests(connected)
        next(asked)
        connected.sendall(DONE + encode_frame(actions.PING, pinging.encode_ping(pinging.ASK, b"hi")))
        answers.append(next(asked))

    with scripted(ask_and_read) as address:
        transport = WireTransport(address)
        transport.acknowledge(TOKEN, 1, timeout=PATIENCE)
        wait_until(lambda: bool(answers))
        transport.close()
    assert pinging.decode_ping(answers[0].body) == (pinging.ANSWER, b"hi")


# Streams


def test_a_stream_names_the_events_that_it_does_not_know_and_goes_on() -> None:
    gap = Gap(3, 4, GapReason.RETENTION)
    newer = b"".join(encode_frame(action, b"\x63what is this?") for action in (actions.MESSAGE, actions.PING, 77))
    told = encode_frame(actions.MESSAGE, pushes.encode_event(gap))
    ending = encode_frame(actions.MESSAGE, pushes.encode_ended(End(EndReason.SESSION_ENDED, 9), SessionInvalid()))
    with scripted(answering(DONE + OPENED + newer + told + ending)) as address:
        events = []
        with pytest.raises(SessionInvalid):  # noqa: PT012  # what came before it counts
            for event in WireTransport(address).listen(TOKEN, None):
                events.append(event)  # noqa: PERF402  # a list() would be lost
    assert events == [Opening(bytes(16), 1, 0, 0), UnknownEvent(0x63), gap, End(EndReason.SESSION_ENDED, 9)]


def test_a_refused_stream_raises_its_refusal() -> None:
    with (
        scripted(answering(encode_frame(actions.RESPONSE, encode_error(TooBusy("2 open streams"))))) as address,
        pytest.raises(TooBusy, match="2 open streams"),
    ):
        next(iter(WireTransport(address).listen(TOKEN, None)))


def test_a_silent_stream_asks_and_goes_on_where_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "KEEPALIVE_TIME", 0.1)
    pings: list[Frame] = []

    def answer(connected: socket.socket) -> None:
        asked = requests(connected)
        next(asked)
        connected.sendall(DONE + OPENED)
        for _ in range(3):
            pings.append(next(asked))
            kind, payload = pinging.decode_ping(pings[-1].body)
            assert kind == pinging.ASK
            connected.sendall(encode_frame(actions.PING, pinging.encode_ping(pinging.ANSWER, payload)))
        connected.sendall(encode_frame(actions.MESSAGE, pushes.encode_event(MessageBatch([]))))
        silent(connected)

    with scripted(answer) as address:
        events = iter(WireTransport(address).listen(TOKEN, None))
        assert isinstance(next(events), Opening)
        assert next(events) == MessageBatch([])
        events.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(pings) == 3


def test_a_frozen_server_is_found_by_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "KEEPALIVE_TIME", 0.1)
    monkeypatch.setattr(client, "KEEPALIVE_TIMEOUT", 0.2)
    with scripted(answering(DONE + OPENED)) as address:
        events = iter(WireTransport(address).listen(TOKEN, None))
        assert isinstance(next(events), Opening)
        started = time.monotonic()
        with pytest.raises(ServerUnreachable):
            next(events)
        assert time.monotonic() - started < 5


def test_a_cancelled_stream_frees_its_reader_and_its_place(running: Running, transport: WireTransport) -> None:
    session = transport.sign_up("ann", PASSWORD, timeout=PATIENCE)
    stream = transport.listen(session.token, None)
    opened = threading.Event()
    ends: list[Exception] = []

    def read() -> None:
        try:
            for event in stream:
                assert isinstance(event, Opening)
                opened.set()
        except ChatboothError as error:
            ends.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert opened.wait(PATIENCE)
    stream.cancel()
    reader.join(PATIENCE)
    assert [type(end) for end in ends] == [ServerUnreachable]
    wait_until(lambda: running.switchboard.count == 0)


def test_a_stream_that_was_cancelled_before_it_was_read_says_nothing(
    running: Running, transport: WireTransport
) -> None:
    stream = transport.listen(TOKEN, None)
    stream.cancel()
    assert list(stream) == []
    wait_until(lambda: running.server.count == 0)
