"""The first contact with a server: accepted by a person or by its fingerprint, never in silence."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatbooth_grpc.client import CertificateChanged, CertificateUnknown, PlainTextRefused, Security
from chatbooth_grpc.client.commands.tasks.first_contact import KnownServerDamaged, meet
from chatbooth_grpc.client.state.known_servers import KnownServer, KnownServers
from chatbooth_grpc.client.terminal.prompts import Prompts
from tests.tls.issuing import Authority
from tests.tls.serving import PROTOCOLS, TlsServer


class Answering(Prompts):
    """Gives one answer at the terminal; None stands for no terminal."""

    def __init__(self, answer: str | None) -> None:
        super().__init__(io.BytesIO(), io.StringIO())
        self.asked: list[str] = []
        self._answer = answer

    def at_terminal(self, question: str) -> str | None:
        self.asked.append(question)
        return self._answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    with ExitStack() as stack:
        yield stack.enter_context(TlsServer(tmp_path, Authority(tmp_path).issue()))


@pytest.fixture
def security(tmp_path: Path) -> Security:
    return Security(known=tmp_path / "servers")


def known(security: Security, address: str) -> KnownServer | None:
    assert security.known_folder
    return KnownServers(security.known_folder).load(address)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_person_is_asked_once_and_shown_the_fingerprint(server: TlsServer, security: Security, protocol: str) -> None:
    prompts = Answering("yes")
    for _ in range(2):
        meet(server.addresses[protocol], security, prompts)
    [question] = prompts.asked
    assert server.certificate.now.fingerprint in question
    found = known(security, server.addresses[protocol])
    assert found is not None
    assert found.fingerprint == server.certificate.now.fingerprint


def test_the_fingerprint_is_an_answer_too(server: TlsServer, security: Security) -> None:
    meet(server.addresses["wire"], security, Answering(f"{server.certificate.now.fingerprint}\n"))
    assert known(security, server.addresses["wire"])


@pytest.mark.parametrize("answer", [None, "", "no", "y", "yes please"])
def test_any_other_answer_accepts_nothing(server: TlsServer, security: Security, answer: str | None) -> None:
    with pytest.raises(CertificateUnknown):
        meet(server.addresses["wire"], security, Answering(answer))
    assert known(security, server.addresses["wire"]) is None


def test_a_given_fingerprint_needs_no_person(server: TlsServer, tmp_path: Path) -> None:
    prompts = Answering(None)
    given = Security(known=tmp_path / "servers", trust=server.certificate.now.fingerprint)
    meet(server.addresses["grpc"], given, prompts)
    assert known(given, server.addresses["grpc"])
    assert prompts.asked == []


def test_another_fingerprint_than_the_given_one_is_refused(server: TlsServer, tmp_path: Path) -> None:
    given = Security(known=tmp_path / "servers", trust="0" * 64)
    with pytest.raises(CertificateChanged):
        meet(server.addresses["grpc"], given, Answering("yes"))
    assert known(given, server.addresses["grpc"]) is None


def test_a_server_that_the_authorities_vouch_for_is_known_as_such(
    server: TlsServer, security: Security, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    prompts = Answering(None)
    meet(server.addresses["wire"], security, prompts)
    assert known(security, server.addresses["wire"]) == KnownServer()
    assert prompts.asked == []


def test_a_server_that_is_known_by_tls_gets_no_plain_text(security: Security) -> None:
    meet("127.0.0.1:1", security, Answering(None))
    assert security.known_folder
    KnownServers(security.known_folder).keep("grpc+tls://127.0.0.1:1", KnownServer())
    for address in ("127.0.0.1:1", "localhost:1", "wire://127.0.0.1:1"):
        with pytest.raises(PlainTextRefused):
            meet(address, security, Answering("yes"))


def test_a_server_that_cannot_be_reached_is_left_to_the_command(security: Security, tmp_path: Path) -> None:
    prompts = Answering("yes")
    meet("grpc+tls://127.0.0.1:1", security, prompts)
    meet("wire+tls://127.0.0.1:1", Security(known=tmp_path / "servers", trust="0" * 64), prompts)
    meet("unix:/nowhere", security, prompts)
    assert prompts.asked == []


def test_a_damaged_file_is_no_first_contact(server: TlsServer, security: Security) -> None:
    assert security.known_folder
    KnownServers(security.known_folder).keep(server.addresses["wire"], KnownServer())
    [file] = security.known_folder.iterdir()
    file.write_text("")
    for address in (server.addresses["wire"], f"wire://{server.places['wire']}"):
        with pytest.raises(KnownServerDamaged, match="is damaged"):
            meet(address, security, Answering("yes"))
