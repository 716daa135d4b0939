"""A fingerprint is read however people and openssl write it, and nothing else is taken for one."""

from __future__ import annotations

import ssl

import pytest

from chatbooth_grpc.tls.fingerprints import fingerprint_of, fingerprint_of_pem, normal_fingerprint

DIGITS = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
COLONS = ":".join(DIGITS[start : start + 2] for start in range(0, 64, 2)).upper()


def test_it_is_the_sha256_of_the_certificate() -> None:
    assert fingerprint_of(b"") == f"SHA256:{DIGITS}"


def test_a_text_that_is_no_certificate_has_none() -> None:
    assert fingerprint_of_pem(ssl.DER_cert_to_PEM_cert(b"")) == f"SHA256:{DIGITS}"
    for text in ("", "garbage", "é", "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"):
        assert fingerprint_of_pem(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        f"SHA256:{DIGITS}",
        DIGITS,
        f" sha256:{DIGITS.upper()}\n",
        COLONS,
        f"SHA256:{COLONS}",
        f"sha256 Fingerprint={COLONS}",
    ],
)
def test_every_way_of_writing_it_is_read(text: str) -> None:
    assert normal_fingerprint(text) == f"SHA256:{DIGITS}"


@pytest.mark.parametrize("text", ["", "SHA256:", DIGITS[1:], DIGITS + "0", "g" + DIGITS[1:], f"MD5:{DIGITS}"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        normal_fingerprint(text)
