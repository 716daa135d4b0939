"""Whom the library trusts over TLS, by both protocols, and what it says of those that it does not trust."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from chatbooth_grpc.booth import causes
from chatbooth_grpc.client import (
    CertificateChanged,
    CertificateExpired,
    CertificateUnknown,
    ChatClient,
    MessageBatch,
    NotTrusted,
    PlainTextRefused,
    Security,
    ServerUnreachable,
)
from chatbooth_grpc.tls.certificate_files import CertificateFiles
from tests.booth.cheap_passwords import PASSWORD
from tests.tls import issuing
from tests.tls.issuing import Authority
from tests.tls.serving import PROTOCOLS, TlsServer
from tests.waiting import wait_until

LISTENERS = 50


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def server(authority: Authority, tmp_path: Path, stack: ExitStack) -> TlsServer:
    return stack.enter_context(TlsServer(tmp_path, authority.issue()))


def replaced(server: TlsServer, authority: Authority) -> str:
    """Replace the server's certificate, and return the fingerprint of the new one."""
    before = server.certificate.now
    authority.issue()
    wait_until(lambda: server.certificate.now is not before)
    return server.certificate.now.fingerprint


def failure(address: str, security: Security, timeout: float = 10.0) -> Exception:
    """Return the error of a call."""
    with ChatClient.connect(address, security=security, timeout=timeout) as client:
        with pytest.raises(Exception) as caught:  # noqa: PT011  # the test looks at it
            client.log_in("ann", PASSWORD)
        return caught.value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_systems_authorities_are_trusted(
    server: TlsServer, authority: Authority, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with ChatClient.connect(server.addresses[protocol]) as client:
        assert client.sign_up("ann", PASSWORD).username == "ann"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unknown_certificate_is_refused_with_its_fingerprint(server: TlsServer, protocol: str) -> None:
    error = failure(server.addresses[protocol], Security())
    assert isinstance(error, CertificateUnknown)
    assert error.attributes() == {
        "server": server.places[protocol],
        "fingerprint": server.certificate.now.fingerprint,
        "problem": "its authority is not known",
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_certificate_is_trusted_by_its_fingerprint_under_any_name(
    authority: Authority, tmp_path: Path, stack: ExitStack, protocol: str
) -> None:
    server = stack.enter_context(TlsServer(tmp_path, authority.issue("chat.example", "192.0.2.7")))
    security = Security(trust=server.certificate.now.fingerprint.upper().removeprefix("SHA256:"))
    with ChatClient.connect(server.addresses[protocol], security=security) as client:
        assert client.sign_up("ann", PASSWORD).username == "ann"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_wrong_host_name_is_refused(
    authority: Authority, tmp_path: Path, stack: ExitStack, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    server = stack.enter_context(TlsServer(tmp_path, authority.issue("chat.example")))
    error = failure(server.addresses[protocol], Security())
    assert isinstance(error, CertificateUnknown)
    assert error.problem == "it is for another name"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_changed_certificate_breaks_no_stream_and_is_refused_by_who_knew_the_old_one(
    server: TlsServer, authority: Authority, stack: ExitStack, protocol: str
) -> None:
    old = server.certificate.now.fingerprint
    address, security = server.addresses[protocol], Security(trust=old)
    ann = stack.enter_context(ChatClient.connect(address, security=security))
    ann.sign_up("ann", PASSWORD)
    listens = [stack.enter_context(closing(ann.listen())) for _ in range(LISTENERS)]
    ann.send("ann", "one")
    for listening in listens:
        assert text_of(listening) == "one"
    new = replaced(server, authority)
    with ChatClient.connect(address, session=ann.session, security=Security(trust=new)) as other:
        other.send("ann", "two")
    for listening in listens:
        assert text_of(listening) == "two"
    error = failure(address, security)
    assert isinstance(error, CertificateChanged)
    assert (error.known, error.fingerprint) == (old, new)
    assert old in str(error)
    assert new in str(error)


def text_of(listening: Iterator[object]) -> str:
    """Return the text of the next message."""
    for event in listening:
        if isinstance(event, MessageBatch):
            return event.messages[0].text
    raise AssertionError("the stream has ended")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_streams_are_refused_like_calls(server: TlsServer, authority: Authority, protocol: str) -> None:
    security = Security(trust=server.certificate.now.fingerprint)
    with ChatClient.connect(server.addresses[protocol], security=security) as client:
        session = client.sign_up("ann", PASSWORD)
    with ChatClient.connect(server.addresses[protocol], session=session, security=Security()) as client:
        with pytest.raises(CertificateUnknown):
            next(iter(client.listen()))
        with pytest.raises(CertificateUnknown):
            list(client.send_many([("ann", "one")]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_expired_certificate_is_refused_even_by_its_fingerprint(
    authority: Authority, tmp_path: Path, stack: ExitStack, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = stack.enter_context(TlsServer(tmp_path, authority.issue()))
    expired = read_anyway(authority.issue(label="old", not_after=issuing.PAST), monkeypatch)
    monkeypatch.setattr(server.certificate, "_now", expired)
    for changed in server.certificate._watchers:
        changed(expired)
    for security in (Security(), Security(trust=expired.fingerprint)):
        error = failure(server.addresses[protocol], security)
        assert isinstance(error, CertificateExpired)
        assert "has expired" in str(error)


def read_anyway(files: CertificateFiles, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Read a certificate that the server would refuse."""
    import ssl

    from chatbooth_grpc.tls import server_certificate

    der = ssl.PEM_cert_to_DER_cert(files.certificate.read_text())
    with monkeypatch.context() as patched:
        patched.setattr(server_certificate, "_try", lambda *_: (der, 0.0))
        return server_certificate.read_certificate(files)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_shows_its_certificate_to_a_server_that_asks_for_one(
    authority: Authority, tmp_path: Path, stack: ExitStack, protocol: str
) -> None:
    server = stack.enter_context(TlsServer(tmp_path, authority.issue(client_ca=authority.file)))
    own = authority.issue("ann", label="client")
    fingerprint = server.certificate.now.fingerprint
    security = Security(trust=fingerprint, certificate=own.certificate, key=own.key)
    with ChatClient.connect(server.addresses[protocol], security=security) as client:
        client.sign_up("ann", PASSWORD)
    error = failure(server.addresses[protocol], Security(trust=fingerprint), timeout=1.0)
    assert isinstance(error, ServerUnreachable)
    assert "client certificate" in str(error)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_plain_client_learns_that_the_port_speaks_tls(server: TlsServer, protocol: str) -> None:
    place = server.places[protocol]
    error = failure(f"wire://{place}" if protocol == "wire" else place, Security(), timeout=1.0)
    assert isinstance(error, ServerUnreachable)
    assert f"{protocol}+tls://" in str(error)


def test_each_protocols_tls_client_learns_that_the_port_speaks_the_other(server: TlsServer) -> None:
    security = Security(trust=server.certificate.now.fingerprint)
    error = failure(f"grpc+tls://{server.places['wire']}", security, timeout=2.0)
    assert isinstance(error, ServerUnreachable)
    error = failure(f"wire+tls://{server.places['grpc']}", security, timeout=2.0)
    assert isinstance(error, ServerUnreachable)


def test_a_server_that_cannot_be_asked_for_its_certificate_is_unreachable() -> None:
    security = Security(trust="0" * 64)
    for protocol in PROTOCOLS:
        error = failure(f"{protocol}+tls://127.0.0.1:1", security, timeout=0.5)
        assert isinstance(error, ServerUnreachable)
        assert error.cause in ("", causes.REFUSED)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_known_server_is_known_again_until_its_certificate_changes(
    server: TlsServer, authority: Authority, tmp_path: Path, protocol: str
) -> None:
    known = tmp_path / "known"
    fingerprint = server.certificate.now.fingerprint
    with ChatClient.connect(server.addresses[protocol], security=Security(trust=fingerprint, known=known)) as client:
        client.sign_up("ann", PASSWORD)
    [file] = known.iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(known.stat().st_mode)) == (0o600, 0o700)
    with ChatClient.connect(server.addresses[protocol], security=Security(known=known)) as client:
        client.log_in("ann", PASSWORD)
    new = replaced(server, authority)
    error = failure(server.addresses[protocol], Security(known=known))
    assert isinstance(error, CertificateChanged)
    assert (error.known, error.fingerprint) == (fingerprint, new)
    with ChatClient.connect(server.addresses[protocol], security=Security(trust=new, known=known)) as client:
        client.log_in("ann", PASSWORD)


def test_a_kept_session_of_tls_is_not_used_in_plain_text(server: TlsServer, tmp_path: Path) -> None:
    state = tmp_path / "bot.json"
    security = Security(trust=server.certificate.now.fingerprint)
    with ChatClient.connect(server.addresses["wire"], security=security) as client:
        client.sign_up("bot", PASSWORD)
    with ChatClient.resume(server.addresses["wire"], "bot", PASSWORD, state=state, security=security):
        pass
    with pytest.raises(PlainTextRefused):
        ChatClient.resume(f"wire://{server.places['wire']}", "bot", PASSWORD, state=state)


@pytest.mark.parametrize("address", ["chat.invalid", "wire+tls://chat.invalid", "grpc+tls://chat.invalid"])
def test_another_machine_is_spoken_to_over_tls(address: str) -> None:
    from chatbooth_grpc.client.library.trusting import Trust

    with ChatClient.connect(address) as client:
        assert type(client._opened).__name__ in ("LazyTransport", "WireTransport")
    with pytest.raises(ValueError, match=r"wire\+tls://chat\.invalid:8080, or say --insecure"):
        ChatClient.connect("wire://chat.invalid")
    ChatClient.connect("wire://chat.invalid", security=Security(insecure=True)).close()
    assert Trust("grpc+tls://chat.invalid:1", Security()).refusal() is None


def test_security_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="belong together"):
        Security(certificate="a.crt")
    with pytest.raises(ValueError, match="64 hex digits"):
        Security(trust="abc")


def test_the_errors_of_trust_are_no_servers() -> None:
    from chatbooth_grpc.booth.error_reasons import concrete_errors, from_reason

    assert not any(issubclass(kind, NotTrusted) for kind in concrete_errors())
    assert not isinstance(from_reason("CERTIFICATE_UNKNOWN", "words", {"server": "a", "fingerprint": "b"}), NotTrusted)
