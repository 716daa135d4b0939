"""The content of a server's certificate, for a client that only looks at it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatbooth_grpc.tls.certificate_files import CertificateFiles
from chatbooth_grpc.tls.examining import examine
from chatbooth_grpc.tls.self_signed import make_certificate_once
from tests.tls.issuing import PAST, Authority
from tests.waiting import PATIENCE


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serve(files: CertificateFiles, stack: ExitStack) -> str:
    """Shake hands with all who connect; return the address. The certificate is not tried first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    threading.Thread(target=_shake_hands, args=(listening, context), daemon=True).start()
    return f"127.0.0.1:{listening.getsockname()[1]}"


def _shake_hands(listening: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(client, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            client.close()


def test_a_certificate_of_an_unknown_authority(authority: Authority, stack: ExitStack) -> None:
    files = authority.issue("*.example", "chat.example", "127.0.0.1")
    shown = examine(serve(files, stack), PATIENCE)
    assert shown.problem == "its authority is not known"
    assert (shown.name, shown.is_expired) == ("chat.example", False)
    assert shown.certificate == files.certificate.read_text()[: len(shown.certificate)]


def test_a_certificate_that_the_authorities_vouch_for(
    authority: Authority, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert examine(serve(authority.issue(), stack), PATIENCE).problem == ""
    other = authority.issue("chat.example", label="other")
    assert examine(serve(other, stack), PATIENCE).problem == "it is for another name"


def test_a_certificate_that_is_signed_by_itself(tmp_path: Path, stack: ExitStack) -> None:
    files = CertificateFiles(tmp_path / "crt", tmp_path / "key")
    make_certificate_once(files, ["192.0.2.1"])
    shown = examine(serve(files, stack), PATIENCE)
    assert shown.problem == "it is signed by itself"
    assert shown.name == "localhost"


def test_an_expired_certificate(authority: Authority, stack: ExitStack) -> None:
    shown = examine(serve(authority.issue(not_after=PAST), stack), PATIENCE)
    assert shown.is_expired
    assert shown.problem


def test_a_certificate_for_an_address_alone(authority: Authority, stack: ExitStack) -> None:
    assert examine(serve(authority.issue("192.0.2.1"), stack), PATIENCE).name == "192.0.2.1"


def test_a_name_that_is_no_hosts_is_not_reached() -> None:
    with pytest.raises(OSError, match="no host's name"):
        examine("a..b:1", PATIENCE)


def test_a_server_that_speaks_no_tls_is_an_error(stack: ExitStack) -> None:
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def answer() -> None:
        client, _ = listening.accept()
        with client:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    with pytest.raises(OSError):  # noqa: PT011  # OpenSSL's words differ
        examine(f"127.0.0.1:{listening.getsockname()[1]}", PATIENCE)
