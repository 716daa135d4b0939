"""The client's side: deadlines hold; connections are shared, made again and given up."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import (
    ACKNOWLEDGE,
    CHANGE_PASSWORD,
    DELIVER,
    LIST,
    LOG_IN,
    LOG_OUT,
    SIGN_UP,
    AcknowledgeRequest,
    ChangePasswordRequest,
    DeliverRequest,
    ListRequest,
    LogInRequest,
)
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    Internal,
    RecipientNotFound,
    ServerUnreachable,
    TooBusy,
)
from chatbooth_grpc.booth.model import (
    OutgoingMessage,
)
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from chatbooth_grpc.wire.encoding import pinging
from chatbooth_grpc.wire.encoding.frames import Frame, encode_frame
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.spies import Gate
from tests.waiting import wait_until
from tests.wire.client.scripted_server import DONE, TOKEN, answering, deaf_until, requests, scripted, silent
from tests.wire.running import PATIENCE, TEXT_SIZE, Running


def reader_threads() -> int:
    """How many connections for calls are read here."""
    return sum(thread.name == "wire-reader" for thread in threading.enumerate())


def test_calls_of_many_threads_share_a_connection_and_get_their_own_replies(
    running: Running, transport: WireTransport
) -> None:
    names = [f"name{number}" for number in range(8)]
    sessions = {name: transport.call(SIGN_UP, b"", LogInRequest(name, PASSWORD), PATIENCE) for name in names}

    def work(name: str) -> list[str]:
        session = sessions[name]
        for number in range(30):
            message = OutgoingMessage(name, struct.pack(">QQ", number + 1, 7), f"{name} {number}".encode())
            transport.send(session.token, message, timeout=PATIENCE)
            page = transport.call(LIST, session.token, ListRequest(f"^{name}$"), PATIENCE)
            assert page.usernames == [name]
            other = OutgoingMessage(f"not-{name}", message.message_id, b"x")
            with pytest.raises(RecipientNotFound, match=f"not-{name}"):
                transport.send(session.token, other, timeout=PATIENCE)
        delivery = transport.call(DELIVER, session.token, DeliverRequest(), PATIENCE)
        return [message.text for message in delivery.messages]

    with ThreadPoolExecutor(8) as pool:
        for name, texts in zip(names, pool.map(work, names), strict=True):
            assert texts == [f"{name} {number}" for number in range(30)]
    assert running.server.count == 1


def test_large_requests_and_large_replies_do_not_wait_for_each_other(
    running: Running, transport: WireTransport
) -> None:
    session = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE)

    def work(number: int) -> None:
        message = OutgoingMessage("ann", struct.pack(">QQ", number + 1, 7), b"x" * TEXT_SIZE)
        transport.send(session.token, message, timeout=PATIENCE)
        assert transport.call(DELIVER, session.token, DeliverRequest(), PATIENCE).messages

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
            transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), 0.2)
        assert time.monotonic() - started < 5
        wait_until(lambda: reader_threads() == before)
        transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), PATIENCE)
        transport.close()
    wait_until(lambda: reader_threads() == before)


def test_a_write_and_a_call_that_waits_for_it_have_their_deadlines() -> None:
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
            transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), 0.2)
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
        impatient = pool.submit(transport.call, ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), 0.3)
        assert asked.acquire(timeout=PATIENCE)
        patient = pool.submit(transport.call, ACKNOWLEDGE, TOKEN, AcknowledgeRequest(2), PATIENCE)
        assert isinstance(impatient.exception(), DeadlineExceeded)
        answer_now.set()
        error = patient.exception()
        # The call may have begun on the connection that the other call gave up.
        assert error is None or isinstance(error, ServerUnreachable)
        transport.close()


def test_a_server_that_closes_an_idle_connection_is_no_failure(running: Running, transport: WireTransport) -> None:
    session = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE)
    for _ in range(3):
        for one in list(running.server._connections):
            one.shut_down()
        wait_until(lambda: transport._calls is None or transport._calls.is_over)
        transport.call(ACKNOWLEDGE, session.token, AcknowledgeRequest(0), PATIENCE)


def test_a_call_raises_the_refusal_of_its_connection(start: Callable[..., Running]) -> None:
    running = start(max_connections=1)
    running.peer().sign_up("ann")
    for size in (1, 8 << 20):
        transport = WireTransport(running.address)
        with pytest.raises((TooBusy, ServerUnreachable)) as caught:
            transport.send(TOKEN, OutgoingMessage("ann", TOKEN, b"x" * size), timeout=PATIENCE)
        assert size > 1 or isinstance(caught.value, TooBusy)
        transport.close()


def test_an_unreachable_server_is_named_by_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for server in (f"127.0.0.1:{port}", f"[::1]:{port}"):
        transport = WireTransport(server)
        with pytest.raises(ServerUnreachable, match=str(port)):
            transport.call(LOG_OUT, TOKEN, None, PATIENCE)
        with pytest.raises(ServerUnreachable):
            next(iter(transport.listen(TOKEN, None)))


def test_a_closed_transport_calls_no_more(running: Running, transport: WireTransport) -> None:
    transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE)
    transport.close()
    with pytest.raises(ServerUnreachable):
        transport.call(LOG_IN, b"", LogInRequest("ann", PASSWORD), PATIENCE)
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
            transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), PATIENCE)
        with pytest.raises(ServerUnreachable):
            list(transport.listen(TOKEN, None))
        transport.close()


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x01\x02", b"\x14\xff"])
def test_a_reply_that_cannot_be_read_is_internal(body: bytes) -> None:
    with scripted(answering(encode_frame(actions.RESPONSE, body))) as address:
        transport = WireTransport(address)
        with pytest.raises(Internal):
            transport.call(CHANGE_PASSWORD, TOKEN, ChangePasswordRequest("old", "new"), PATIENCE)
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
        transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), PATIENCE)
        wait_until(lambda: bool(answers))
        transport.close()
    assert pinging.decode_ping(answers[0].body) == (pinging.ANSWER, b"hi")
