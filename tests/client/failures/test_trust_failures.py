"""A person who does not trust a server reads the command that changes it."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.trust_errors import (
    CertificateChanged,
    CertificateExpired,
    CertificateUnknown,
    NotTrusted,
    PlainTextRefused,
)
from chatbooth_grpc.client.failures.exit_codes import NOT_TRUSTED
from chatbooth_grpc.client.failures.trust_failures import ServerNotTrusted

SERVER = "grpc+tls://chat.example:1"


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (CertificateUnknown("chat.example:1", "SHA256:new", "why"), f"--server {SERVER} trust --trust SHA256:new"),
        (CertificateChanged("chat.example:1", "SHA256:old", "SHA256:new"), "trust --trust SHA256:new"),
        (CertificateChanged("chat.example:1", "", "SHA256:new"), "trust --trust SHA256:new"),
        (PlainTextRefused("chat.example:1"), "trust --forget"),
    ],
)
def test_the_words_end_with_the_command(error: NotTrusted, command: str) -> None:
    failure = ServerNotTrusted(error, SERVER)
    assert str(failure).startswith(str(error))
    assert str(failure).endswith(command)
    assert (failure.reason, failure.details(), failure.exit_code) == (error.reason, error.attributes(), NOT_TRUSTED)


def test_only_the_operator_can_replace_an_expired_certificate() -> None:
    assert "type:" not in str(ServerNotTrusted(CertificateExpired("chat.example:1", "SHA256:old"), SERVER))


def test_a_changed_certificate_is_named_beside_the_old_one() -> None:
    words = str(CertificateChanged("chat.example:1", "SHA256:old", "SHA256:new"))
    assert "It was SHA256:old. It is now SHA256:new." in words
    assert "authorities vouched for" in str(CertificateChanged("chat.example:1", "", "SHA256:new"))
