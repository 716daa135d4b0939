"""A refusal over TLS can be read, holds up nobody, and never lasts."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chatbooth_grpc.wire.client.connecting import connect
from chatbooth_grpc.wire.encoding.frames import FrameDecoder
from chatbooth_grpc.wire.server import refusing
from chatbooth_grpc.wire.streams.byte_stream import ByteStream
from chatbooth_grpc.wire.streams.tls_stream import tls_client, tls_server
from tests.waiting import wait_until
from tests.wire.certificates import Certificate
from tests.wire.running import PATIENCE, Running, refusal

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
