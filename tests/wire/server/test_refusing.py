"""A refusal over TLS can be read, holds up nobody, and never lasts."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.errors import RateLimited
from chatbooth_grpc.booth.fair_shares import FairShares
from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.booth.throttles import RateLimits, Throttles
from chatbooth_grpc.wire.client.connecting import connect
from chatbooth_grpc.wire.encoding.frames import FrameDecoder
from chatbooth_grpc.wire.server import refusing
from chatbooth_grpc.wire.streams.byte_stream import ByteStream
from chatbooth_grpc.wire.streams.tls_stream import tls_client, tls_server
from tests.waiting import wait_until
from tests.wire.certificates import Certificate
from tests.wire.running import PATIENCE, Running, refusal
from tests.wire.scripted_stream import ScriptedStream

OpenStream = Callable[[socket.socket], ByteStream]


@pytest.fixture
def open_stream(certificate: Certificate) -> OpenStream:
    return tls_client(certificate.client(), "localhost")


def full(certificate: Certificate, folder: Path, handshake_limit: float = 10.0) -> Running:
    """Return a server that encrypts, and takes no connection."""
    opening = tls_server(certificate.server)
    return Running(folder / "chatbooth.db", open_stream=opening, max_connections=0, handshake_limit=handshake_limit)


def said_to(running: Running, open_stream: OpenStream) -> str:
    """Return the words with which the server refuses a connection."""
    with closing(connect(running.address, PATIENCE, open_stream)) as stream:
        stream.set_timeout(PATIENCE)
        decoder = FrameDecoder(1 << 20, from_client=False)
        while data := stream.receive(1 << 16):
            for frame in decoder.feed(data):
                return str(refusal(frame.body))
    raise AssertionError("the server said nothing")


def test_it_is_read_while_others_stall(certificate: Certificate, tmp_path: Path, open_stream: OpenStream) -> None:
    with full(certificate, tmp_path) as running:
        for _ in range(refusing._AT_ONCE - 1):
            running.peer()
        assert "0 connections" in said_to(running, open_stream)


def test_a_client_that_connects_too_often_waits_for_its_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusing, "_MOST_DELAYED", 3)
    refusals = refusing.Refusals(10.0)
    streams = [ScriptedStream() for _ in range(4)]
    for stream in streams:
        refusals.refuse_later(stream, RateLimited("1 connection in a minute"))
    # The oldest made room for the newest.
    assert ["close" in stream.calls for stream in streams] == [True, False, False, False]
    refusals.answer_due(time.monotonic())
    assert refusals.delayed == 3
    refusals.answer_due(time.monotonic() + refusing.DELAY)
    assert all("close" in stream.calls and stream.sent for stream in streams)


def test_a_client_that_waits_for_its_refusal_takes_no_place_from_others(start_throttled: Running) -> None:
    waiting = start_throttled.peer("127.0.0.2")
    wait_until(lambda: start_throttled.server._refusals.delayed == 1)
    start_throttled.peer("127.0.0.3").sign_up("honest")
    assert start_throttled.server._refusals.delayed == 0
    assert isinstance(refusal(waiting.reply()), RateLimited)


@pytest.fixture
def start_throttled(tmp_path: Path) -> Iterator[Running]:
    """A server that takes two connections in all, of which another address has made one, and its rate is used up."""
    addresses = ClientAddresses(())
    throttles = Throttles(RateLimits(connections_per_address=Rate(1, 3_600.0, 1)), addresses)
    shares = FairShares(addresses=addresses)
    with Running(tmp_path / "s.db", shares=shares, throttles=throttles, max_connections=2) as running:
        running.peer("127.0.0.2").sign_up("early")
        yield running


def test_those_beyond_a_few_at_once_are_closed_without_words(certificate: Certificate, tmp_path: Path) -> None:
    with full(certificate, tmp_path) as running:
        stalled = [running.peer() for _ in range(refusing._AT_ONCE)]
        wait_until(lambda: len(running.server._refusals._answering) == len(stalled))
        assert running.peer().is_ended()
        assert running.server.count == 0


def test_one_that_stalls_is_ended_in_time(certificate: Certificate, tmp_path: Path) -> None:
    with full(certificate, tmp_path, handshake_limit=0.2) as running:
        assert running.peer().is_ended()
        wait_until(lambda: not running.server._refusals._answering)


def test_one_that_is_read_but_never_closed_is_ended_in_time(
    certificate: Certificate, tmp_path: Path, open_stream: OpenStream
) -> None:
    with (
        full(certificate, tmp_path, handshake_limit=0.5) as running,
        closing(connect(running.address, PATIENCE, open_stream)),
    ):
        wait_until(lambda: not running.server._refusals._answering)


def test_a_drain_ends_them(certificate: Certificate, tmp_path: Path) -> None:
    with full(certificate, tmp_path, handshake_limit=PATIENCE) as running:
        peer = running.peer()
        wait_until(lambda: len(running.server._refusals._answering) == 1)
        running.drain()
        assert peer.is_ended()
        wait_until(lambda: not running.server._refusals._answering)
