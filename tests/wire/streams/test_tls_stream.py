"""An encrypted stream: no readable bytes stay in it, and no bytes are sent twice."""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatbooth_grpc.booth import causes
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.wire.client.connecting import connect
from chatbooth_grpc.wire.streams.byte_stream import MOST, TlsFailed, new_buffer
from chatbooth_grpc.wire.streams.tls_stream import TlsStream, tls_client, tls_server
from tests.wire.certificates import Certificate
from tests.wire.running import PATIENCE


class Link:
    """A server's and a client's stream, and the sockets between them, at which cipher text can be held up."""

    def __init__(self, certificate: Certificate) -> None:
        self.server_side, self._server_end = socket.socketpair()
        self._client_end, self.client_side = socket.socketpair()
        self._server_end.setblocking(False)
        self._client_end.setblocking(False)
        self.server = tls_server(certificate.server)(self.server_side)
        self._client_context = certificate.client()

    def shake_hands(self) -> TlsStream:
        """Have the two agree; return the client's stream."""
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(tls_client(self._client_context, "localhost"), self.client_side)
            while not opening.done():
                self.to_server(self.from_client())
                self.server.receive_now(1 << 16)
                self.to_client(self.from_server())
            client = opening.result()
        self.to_server(self.from_client())
        assert self.server.receive_now(1 << 16) is None
        self.to_client(self.from_server())
        return client

    def from_client(self) -> bytes:
        """Return the cipher text that the client has sent."""
        return _read(self._client_end)

    def from_server(self) -> bytes:
        """Return the cipher text that the server has sent."""
        return _read(self._server_end)

    def to_server(self, data: bytes) -> None:
        """Let cipher text reach the server."""
        self._server_end.sendall(data)

    def to_client(self, data: bytes) -> None:
        """Let cipher text reach the client."""
        self._client_end.sendall(data)

    def pass_on(self, client: TlsStream, received: bytearray) -> None:
        """Let the client receive one piece of the bytes that the server has sent."""
        cipher_text = self.from_server()
        for start in range(0, len(cipher_text), 4_096):
            self.to_client(cipher_text[start : start + 4_096])
            received += client.receive_now(1 << 16) or b""

    def close(self) -> None:
        for each in (self.server_side, self._server_end, self._client_end, self.client_side):
            each.close()


def _read(end: socket.socket) -> bytes:
    try:
        return end.recv(1 << 20)
    except BlockingIOError:
        return b""


@pytest.fixture
def link(certificate: Certificate) -> Iterator[Link]:
    link = Link(certificate)
    yield link
    link.close()


@pytest.fixture
def client(link: Link) -> TlsStream:
    """The client's stream, once the two have agreed."""
    return link.shake_hands()


def is_readable(stream: TlsStream) -> bool:
    return bool(select.select([stream], [], [], 0)[0])


def test_bytes_travel_encrypted_both_ways(link: Link, client: TlsStream) -> None:
    assert client.send_now(b"a question") == 10
    question = link.from_client()
    assert b"question" not in question
    link.to_server(question)
    assert link.server.receive(100) == b"a question"
    assert link.server.send_quickly(b"the answer") == 10
    answer = link.from_server()
    assert b"answer" not in answer
    link.to_client(answer)
    assert client.receive(100) == b"the answer"


def test_no_readable_byte_stays_where_select_does_not_see_it(link: Link, client: TlsStream) -> None:
    sent = [os.urandom(size) for size in (10, 16 << 10, 40_000, 1)]
    for each in sent:
        assert client.send_now(each) == len(each)
    link.to_server(link.from_client())
    received = b""
    while is_readable(link.server):
        received += link.server.receive_quickly(new_buffer(2_048)) or b""
    assert received == b"".join(sent)
    assert link.server.receive_now(100) is None


def test_a_part_of_a_record_is_nothing_yet_and_is_not_lost(link: Link, client: TlsStream) -> None:
    client.send_now(b"whole")
    record = link.from_client()
    for byte in record[:-1]:
        link.to_server(bytes((byte,)))
        assert link.server.receive_now(100) is None
    link.to_server(record[-1:])
    assert link.server.receive_now(100) == b"whole"


def test_receiving_waits_for_a_whole_record(link: Link, client: TlsStream) -> None:
    client.send_now(b"whole")
    record = link.from_client()
    link.to_server(record[:10])
    with ThreadPoolExecutor(1) as pool:
        receiving = pool.submit(link.server.receive, 5)
        link.to_server(record[10:])
        assert receiving.result(PATIENCE) == b"whole"


def test_bytes_that_come_with_the_end_of_the_handshake_are_readable(link: Link, certificate: Certificate) -> None:
    """The server receives the client's last words of the handshake and its first request in one piece."""
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(tls_client(certificate.client(), "localhost"), link.client_side)
        while not opening.done():
            if hello := link.from_client():
                link.to_server(hello)
                assert link.server.receive_now(1 << 16) is None
                link.to_client(link.from_server())
        opening.result().send_now(b"the first request")
    link.to_server(link.from_client())
    assert link.server.receive(1 << 16) == b"the first request"
    assert not is_readable(link.server)


def test_a_full_socket_asks_for_the_same_bytes_until_they_are_gone(link: Link, client: TlsStream) -> None:
    data = os.urandom(8 << 20)
    sent, blocked, received = 0, 0, bytearray()
    while len(received) < len(data):
        step = link.server.send_now(memoryview(data)[sent:])
        assert step <= MOST
        sent += step
        blocked += not step
        if not step or sent == len(data):
            link.pass_on(client, received)
    assert blocked > 10
    assert received == data


def test_bytes_that_came_with_the_end_of_the_handshake_are_readable(link: Link, client: TlsStream) -> None:
    """Another server may send its first words together with its last ones of the handshake."""
    # The client takes the tickets, with which the server's side of the handshake ends.
    assert client.receive_now(1 << 16) is None
    link.server.send_now(b"the first words")
    client._incoming.write(link.from_server())
    assert client.receive(100) == b"the first words"


def fill(link: Link) -> tuple[bytes, int]:
    """Send until the socket takes no more. Return the bytes to send, and how many were taken."""
    data = os.urandom(8 << 20)
    sent = 0
    while step := link.server.send_now(data[sent : sent + MOST]):
        sent += step
    return data, sent


def test_a_thread_that_waits_to_receive_sends_the_bytes_that_the_socket_did_not_take(
    link: Link, client: TlsStream
) -> None:
    """The peer may wait for it, and send nothing until it has come."""
    data, sent = fill(link)
    received = bytearray()
    with ThreadPoolExecutor(1) as pool:
        receiving = pool.submit(link.server.receive, 100)
        while len(received) < sent + MOST:
            link.pass_on(client, received)
        client.send_now(b"thanks")
        link.to_server(link.from_client())
        assert receiving.result(PATIENCE) == b"thanks"
    assert received == data[: sent + MOST]
    # The stream reports now that it has taken these bytes.
    assert link.server.send_now(data[sent : sent + MOST]) == MOST
    assert link.from_server() == b""


def test_a_thread_that_waits_to_receive_and_to_send_has_its_timeout(link: Link, client: TlsStream) -> None:
    fill(link)
    link.server.set_timeout(0.01)
    with pytest.raises(TimeoutError):
        link.server.receive(100)


def test_a_peer_that_reads_nothing_is_not_owed_without_end(link: Link, client: TlsStream) -> None:
    fill(link)
    # Many new keys and alerts would have this size.
    link.server._outgoing.write(bytes(70_000))
    client.send_now(b"another")
    link.to_server(link.from_client())
    with pytest.raises(TlsFailed, match="does not read"):
        link.server.receive_now(100)


def test_an_end_is_heard_and_leaves_receiving_open(link: Link, client: TlsStream) -> None:
    link.server.end()
    link.to_client(link.from_server())
    assert client.receive(100) == b""
    assert client.receive(100) == b""
    client.send_now(b"one more")
    link.to_server(link.from_client())
    assert link.server.receive(100) == b"one more"
    client.end()
    link.to_server(link.from_client())
    assert link.server.receive(100) == b""


def test_bytes_that_came_before_the_end_are_received_first(link: Link, client: TlsStream) -> None:
    client.send_now(b"last words")
    client.end()
    link.to_server(link.from_client())
    assert link.server.receive(100) == b"last words"
    assert link.server.receive_now(100) == b""
    assert link.server.receive(100) == b""


def test_an_end_without_a_word_is_an_end(link: Link, client: TlsStream) -> None:
    client.cut_off()
    client.cut_off()
    client.end()
    link.server.stop_receiving()
    assert link.server.receive(100) == b""
    assert link.server.receive_now(100) == b""


def test_cipher_text_that_was_changed_is_an_error_on_both_sides(link: Link, client: TlsStream) -> None:
    client.send_now(b"a question")
    record = bytearray(link.from_client())
    record[-1] ^= 1
    link.to_server(bytes(record))
    with pytest.raises(TlsFailed):
        link.server.receive(100)
    link.to_client(link.from_server())
    with pytest.raises(TlsFailed, match=r"(?i)bad record mac"):
        client.receive(100)


def test_a_peer_that_speaks_plainly_is_an_error(link: Link) -> None:
    link.to_server(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(TlsFailed):
        link.server.receive(100)


def test_nothing_is_sent_before_the_two_agree(link: Link) -> None:
    """A writer that was asked to wait would spin, since the socket takes bytes."""
    with pytest.raises(TlsFailed, match="before TLS was agreed"):
        link.server.send_quickly(b"a ping")


def test_a_server_that_ends_before_the_two_agree_is_an_error(certificate: Certificate) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(TlsFailed, match="before TLS was agreed"):
            tls_client(certificate.client(), "localhost")(near)


def test_a_silence_over_the_timeout_is_an_error_and_nothing_is_lost(link: Link, client: TlsStream) -> None:
    link.server.send_now(b"later")
    record = link.from_server()
    link.to_client(record[:7])
    client.set_timeout(0.01)
    with pytest.raises(TimeoutError):
        client.receive(100)
    link.to_client(record[7:])
    client.set_timeout(None)
    assert client.receive(100) == b"later"


def test_a_server_under_another_name_or_of_another_certificate_is_not_reached(certificate: Certificate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
        address = f"127.0.0.1:{listening.getsockname()[1]}"

        def refuse() -> None:
            accepted, _ = listening.accept()
            stream = tls_server(certificate.server)(accepted)
            with accepted, pytest.raises(TlsFailed):
                stream.receive(100)

        strange = ssl.create_default_context()
        strange.minimum_version = ssl.TLSVersion.TLSv1_3
        for context, name in ((certificate.client(), "elsewhere"), (strange, "localhost")):
            refusing = pool.submit(refuse)
            with pytest.raises(ServerUnreachable) as caught:
                connect(address, PATIENCE, tls_client(context, name))
            assert caught.value.cause == causes.NOT_VERIFIED
            refusing.result(PATIENCE)


def test_an_earlier_version_of_tls_is_refused_at_once(certificate: Certificate) -> None:
    context = certificate.server()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ValueError, match=r"TLS 1\.3"):
        tls_server(lambda: context)
    with pytest.raises(ValueError, match=r"TLS 1\.3"):
        tls_client(context, "localhost")
