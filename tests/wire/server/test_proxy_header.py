"""The header of a proxy names the client, takes no byte that follows it, and ends the connection if it is wrong."""

from __future__ import annotations

import ipaddress
import logging
import socket
import struct
from contextlib import closing
from pathlib import Path

import pytest

from chatbooth_grpc.addresses import read_peers
from chatbooth_grpc.booth import actions
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from chatbooth_grpc.wire.server.proxy_header import NoProxyHeader, receive_header
from chatbooth_grpc.wire.streams.tls_stream import tls_client, tls_server
from tests.booth.cheap_passwords import PASSWORD
from tests.waiting import wait_until
from tests.wire.certificates import Certificate
from tests.wire.running import PATIENCE, Running

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


def addresses(source: str, destination: str, port: int) -> bytes:
    packed = b"".join(ipaddress.ip_address(each).packed for each in (source, destination))
    return packed + struct.pack("!HH", port, 8080)


GOOD = [
    (b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 8080\r\n", "192.0.2.7:4711"),
    (b"PROXY TCP6 2001:db8::7 ::1 4711 8080\r\n", "[2001:db8::7]:4711"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff 1 2\r\n", None),
    (version_2(0x21, 0x11, addresses("192.0.2.7", "127.0.0.1", 4711)), "192.0.2.7:4711"),
    (version_2(0x21, 0x11, addresses("192.0.2.7", "127.0.0.1", 4711) + b"\x03\0\4abcd"), "192.0.2.7:4711"),
    (version_2(0x21, 0x21, addresses("2001:db8::7", "::1", 4711)), "[2001:db8::7]:4711"),
    (version_2(0x21, 0x31, bytes(216)), None),
    (version_2(0x20, 0x00, b""), None),
]
WRONG = [
    b"",
    b"PROXY",
    b"GET / HTTP/1.1\r\n\r\n",
    b"PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n",
    b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 8080 1\r\n",
    b"PROXY TCP4 2001:db8::7 ::1 4711 8080\r\n",
    b"PROXY TCP5 192.0.2.7 127.0.0.1 4711 8080\r\n",
    b"PROXY TCP4 192.0.2.7 127.0.0.1 65536 8080\r\n",
    b"PROXY TCP4 192.0.2.7 127.0.0.1 1 x\r\n",
    b"PROXY TCP4 chat.example 127.0.0.1 1 1\r\n",
    b"PROXY TCP4 " + b"1" * 200,
    version_2(0x21, 0x11, b"short"),
    version_2(0x22, 0x11, addresses("192.0.2.7", "127.0.0.1", 4711)),
    version_2(0x11, 0x11, addresses("192.0.2.7", "127.0.0.1", 4711)),
    version_2(0x21, 0x11, bytes(3_000)),
    version_2(0x21, 0x11, addresses("192.0.2.7", "127.0.0.1", 4711))[:-1],
]


def received(data: bytes) -> tuple[str | None, bytes]:
    """Return the client that a header names, and the bytes after the header."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(data)
        far.shutdown(socket.SHUT_WR)
        return receive_header(near), near.recv(100)


@pytest.mark.parametrize(("header", "peer"), GOOD)
def test_a_header_names_the_client_and_leaves_the_rest(header: bytes, peer: str | None) -> None:
    assert received(header + b"the rest") == (peer, b"the rest")


@pytest.mark.parametrize("header", WRONG)
def test_a_wrong_header_is_refused(header: bytes) -> None:
    with pytest.raises(NoProxyHeader):
        received(header)


def test_a_client_is_known_by_its_own_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Running(tmp_path / "chatbooth.db", proxies=read_peers("10.0.0.0/8,127.0.0.1")) as running:
        peer = running.peer()
        peer.socket.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 8080\r\n")
        peer.sign_up("ann")
        [connection] = running.server._connections
        assert connection.peer() == "192.0.2.7:4711"


def test_the_header_comes_before_the_handshake(tmp_path: Path, certificate: Certificate) -> None:
    def open_stream(connected: socket.socket):  # type: ignore[no-untyped-def]
        connected.sendall(GOOD[4][0])
        return tls_client(certificate.client(), "localhost")(connected)

    opening = tls_server(certificate.server)
    with (
        Running(tmp_path / "chatbooth.db", open_stream=opening, proxies=read_peers("127.0.0.1")) as running,
        closing(WireTransport(running.address, open_stream)) as transport,
    ):
        transport.call(actions.SIGN_UP, b"", actions.LogInRequest("ann", PASSWORD, b""), PATIENCE)
        [connection] = running.server._connections
        assert connection.peer() == "192.0.2.7:4711"


@pytest.mark.parametrize("sent", [b"PROXY UNKNO", b""])
def test_a_header_that_does_not_come_ends_the_connection(tmp_path: Path, sent: bytes) -> None:
    with Running(tmp_path / "chatbooth.db", proxies=read_peers("127.0.0.1"), handshake_limit=0.2) as running:
        peer = running.peer()
        peer.socket.sendall(sent)
        assert peer.is_ended()
        wait_until(lambda: running.server.count == 0)


def test_a_proxy_without_a_header_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Running(tmp_path / "chatbooth.db", proxies=read_peers("127.0.0.1")) as running:
        for _ in range(2):
            peer = running.peer()
            peer.send(actions.LIST)
            assert peer.is_ended()
        wait_until(lambda: running.server.count == 0)
    assert [record.msg for record in caplog.records].count("connections of a proxy are ended") == 1


def test_a_header_of_a_stranger_ends_the_connection(tmp_path: Path) -> None:
    with Running(tmp_path / "chatbooth.db", proxies=read_peers("10.0.0.0/8,unix")) as running:
        for header, _ in GOOD:
            peer = running.peer()
            peer.socket.sendall(header)
            while peer.socket.recv(1 << 16):
                pass
        peer = running.peer()
        assert peer.sign_up("ann").username == "ann"
