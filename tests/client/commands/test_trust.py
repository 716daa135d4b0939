"""`trust`: shows and accepts a certificate, or forgets it."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatbooth_grpc.client import CertificateChanged, CertificateUnknown, Security, ServerUnreachable
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.first_contact import KnownServerDamaged
from chatbooth_grpc.client.commands.trust import forget, trust
from chatbooth_grpc.client.failures.command_failure import Misuse
from tests.client.booths import Desk
from tests.client.commands.tasks.test_first_contact import Answering
from tests.tls.issuing import Authority
from tests.tls.serving import TlsServer
from tests.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    with ExitStack() as stack:
        folder = tmp_path / "tls"
        folder.mkdir()
        yield stack.enter_context(TlsServer(folder, Authority(folder).issue()))


def context(desk: Desk, server: str, answer: str | None = None, given: str = "") -> Context:
    """Return a context for a server, and a person who gives an answer at the terminal."""
    security = Security(known=desk.state / "servers", trust=given)
    return dataclasses.replace(desk.context(), server=server, security=security, prompts=Answering(answer))


def test_a_certificate_is_accepted_and_shown_and_forgotten(desk: Desk, server: TlsServer) -> None:
    address, fingerprint = server.addresses["grpc"], server.certificate.now.fingerprint
    with pytest.raises(CertificateUnknown):
        trust(context(desk, address))
    trust(context(desk, address, "yes"))
    trust(context(desk, address))
    assert desk.said().count(f"{address} is trusted by its certificate {fingerprint}.") == 2
    forget(context(desk, address))
    assert "Forgot the certificate" in desk.said()
    forget(context(desk, address))
    assert "was not known by TLS" in desk.said()
    with pytest.raises(CertificateUnknown):
        trust(context(desk, address))


def test_a_changed_certificate_is_accepted_by_a_person_or_by_its_fingerprint(
    desk: Desk, server: TlsServer, tmp_path: Path
) -> None:
    address = server.addresses["wire"]
    trust(context(desk, address, "yes"))
    for given in (False, True):
        before = server.certificate.now
        Authority(tmp_path / "tls").issue()
        wait_until(lambda before=before: server.certificate.now is not before)  # type: ignore[misc]
        with pytest.raises(CertificateChanged):
            trust(context(desk, address))
        if given:
            trust(context(desk, address, given=server.certificate.now.fingerprint))
        else:
            trust(context(desk, address, "yes"))
        trust(context(desk, address))


def test_an_address_without_tls_has_no_certificate(desk: Desk) -> None:
    with pytest.raises(Misuse, match="is an address without TLS"):
        trust(context(desk, "127.0.0.1:1"))


def test_a_server_that_cannot_be_asked_is_reported_with_advice(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"grpc+tls://127.0.0.1:{listener.getsockname()[1]}"
        answering = threading.Thread(target=_answer_in_plain_text, args=(listener,))
        answering.start()
        with pytest.raises(ServerUnreachable, match="does not speak TLS"):
            trust(context(desk, address))
        answering.join()
    with pytest.raises(ServerUnreachable, match="Nothing listens on that port"):
        trust(context(desk, address))


def _answer_in_plain_text(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_damaged_file_is_a_plain_error_until_the_server_is_forgotten(desk: Desk, server: TlsServer) -> None:
    address = server.addresses["wire"]
    trust(context(desk, address, "yes"))
    [file] = (desk.state / "servers").iterdir()
    file.write_text("[]")
    with pytest.raises(KnownServerDamaged, match=r"is damaged\. Remove it"):
        trust(context(desk, address, "yes"))
    forget(context(desk, address))
    trust(context(desk, address, "yes"))
