"""The client's side of a live stream over the wire: its events, its pings and its end."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import SIGN_UP, LogInRequest
from chatbooth_grpc.booth.errors import (
    ChatboothError,
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
    UnknownEvent,
)
from chatbooth_grpc.wire.client import wire_transport as client
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from chatbooth_grpc.wire.encoding import pinging, pushes
from chatbooth_grpc.wire.encoding.codes import encode_error
from chatbooth_grpc.wire.encoding.frames import Frame, encode_frame
from tests.booth.cheap_passwords import PASSWORD
from tests.waiting import wait_until
from tests.wire.client.scripted_server import DONE, OPENED, TOKEN, answering, requests, scripted, silent
from tests.wire.running import PATIENCE, Running


def test_a_stream_names_the_events_that_it_does_not_know_and_continues() -> None:
    gap = Gap(3, 4, GapReason.RETENTION)
    newer = b"".join(encode_frame(action, b"\x63what is this?") for action in (actions.MESSAGE, actions.PING, 77))
    told = encode_frame(actions.MESSAGE, pushes.encode_event(gap))
    ending = encode_frame(actions.MESSAGE, pushes.encode_ended(End(EndReason.SESSION_ENDED, 9), SessionInvalid()))
    with scripted(answering(DONE + OPENED + newer + told + ending)) as address:
        events = []
        with pytest.raises(SessionInvalid):  # noqa: PT012  # the events before it count
            for event in WireTransport(address).listen(TOKEN, None):
                events.append(event)  # noqa: PERF402  # a list() would be lost
    assert events == [Opening(bytes(16), 1, 0, 0), UnknownEvent(0x63), gap, End(EndReason.SESSION_ENDED, 9)]


def test_a_refused_stream_raises_its_refusal() -> None:
    with (
        scripted(answering(encode_frame(actions.RESPONSE, encode_error(TooBusy("2 open streams"))))) as address,
        pytest.raises(TooBusy, match="2 open streams"),
    ):
        next(iter(WireTransport(address).listen(TOKEN, None)))


def test_a_silent_stream_pings_and_continues_if_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
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
    session = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), PATIENCE)
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
