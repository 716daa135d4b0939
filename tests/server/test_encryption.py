"""Which flags encrypt the server's connections, and which are wrong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.server.encryption import Encryption
from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.server.twins import FlagError
from chatbooth_grpc.tls.certificate_files import CertificateFiles

PAIR = ("--tls-cert", "a.crt", "--tls-key", "a.key")


def encryption(*arguments: str, **environment: str) -> Encryption | None:
    return parse_settings(arguments, environment).encryption


def test_it_is_off_by_default() -> None:
    assert encryption() is None
    assert encryption("--tls", "off") is None


def test_a_certificate_and_its_key_turn_it_on() -> None:
    files = CertificateFiles(Path("a.crt"), Path("a.key"))
    assert encryption(*PAIR) == Encryption(files, makes_certificate=False)
    assert encryption(CHATBOOTH_TLS_CERT="a.crt", CHATBOOTH_TLS_KEY="a.key") == encryption(*PAIR)


def test_the_made_certificate_lies_beside_the_store() -> None:
    files = CertificateFiles(Path("/srv/chat.db.tls.crt"), Path("/srv/chat.db.tls.key"))
    assert encryption("--store", "/srv/chat.db", CHATBOOTH_TLS="auto") is not None
    assert encryption("--tls", "auto", "--store", "/srv/chat.db") == Encryption(files, makes_certificate=True)


def test_clients_may_have_to_show_a_certificate() -> None:
    for arguments in (PAIR, ("--tls", "auto")):
        found = encryption(*arguments, "--tls-client-ca", "ca.crt")
        assert found == encryption(*arguments, CHATBOOTH_TLS_CLIENT_CA="ca.crt")
        assert found is not None
        assert found.files.client_ca == Path("ca.crt")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (PAIR[:2], "belong together"),
        (PAIR[2:], "belong together"),
        (("--tls", "auto", *PAIR[:2]), "--tls-cert names a file, and --tls auto makes one"),
        (("--tls", "auto", *PAIR[2:]), "--tls-key names a file"),
        (("--tls", "off", *PAIR), "--tls off leaves --tls-cert a.crt without use"),
        (("--tls-client-ca", "ca.crt"), "--tls-client-ca needs TLS"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(FlagError, match=words):
        encryption(*arguments)


def test_an_address_that_others_can_reach_needs_it_or_insecure() -> None:
    with pytest.raises(FlagError, match=r"--host 0\.0\.0\.0 would send passwords .* --tls auto, .* --insecure"):
        encryption("--host", "0.0.0.0")
    assert encryption("--host", "0.0.0.0", "--insecure") is None
    assert encryption("--host", "0.0.0.0", *PAIR) is not None
    assert encryption("--host", "0.0.0.0", "--tls", "auto") is not None
