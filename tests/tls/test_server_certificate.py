"""A server's certificate is read only if clients could use it, and the error says which file is wrong and why."""

from __future__ import annotations

import dataclasses
import ssl
import time
from pathlib import Path

import pytest

from chatbooth_grpc.tls.certificate_files import CertificateFiles, CertificateUnusable
from chatbooth_grpc.tls.fingerprints import fingerprint_of
from chatbooth_grpc.tls.server_certificate import read_certificate
from tests.tls.issuing import PAST, Authority


def test_a_certificate_is_read_whole(authority: Authority) -> None:
    files = authority.issue()
    read = read_certificate(files)
    leaf = ssl.PEM_cert_to_DER_cert(files.certificate.read_text())
    assert (read.chain, read.key, read.client_ca) == (files.certificate.read_bytes(), files.key.read_bytes(), None)
    assert read.fingerprint == fingerprint_of(leaf)
    assert read.ends > time.time()
    assert read.context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert read.context.verify_mode == ssl.CERT_NONE


def test_clients_must_have_a_certificate_if_their_authority_is_named(authority: Authority) -> None:
    read = read_certificate(authority.issue(client_ca=authority.file))
    assert read.client_ca == authority.file.read_bytes()
    assert read.context.verify_mode == ssl.CERT_REQUIRED


def test_a_missing_file_is_named(authority: Authority, tmp_path: Path) -> None:
    files = authority.issue()
    for field in ("certificate", "key", "client_ca"):
        wrong = dataclasses.replace(files, **{field: tmp_path / "absent"})
        with pytest.raises(CertificateUnusable, match="absent: no such file"):
            read_certificate(wrong)


def test_a_file_without_a_certificate_is_named(authority: Authority, tmp_path: Path) -> None:
    files = authority.issue()
    (tmp_path / "empty").write_text("")
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    for wrong in (files.key, tmp_path / "empty", tmp_path / "binary"):
        for field in ("certificate", "client_ca"):
            with pytest.raises(CertificateUnusable, match=f"{wrong} has no certificate in PEM"):
                read_certificate(dataclasses.replace(files, **{field: wrong}))
    with pytest.raises(CertificateUnusable, match="has no private key in PEM"):
        read_certificate(CertificateFiles(files.certificate, files.certificate))


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    files, other = authority.issue(), authority.issue(label="other")
    with pytest.raises(CertificateUnusable, match="does not fit the certificate"):
        read_certificate(CertificateFiles(files.certificate, other.key))


def test_an_encrypted_key_is_refused_without_a_question(authority: Authority, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    files = authority.issue()
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"a password")
    encrypted = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    files.key.write_bytes(encrypted)
    with pytest.raises(CertificateUnusable, match="is encrypted"):
        read_certificate(files)


def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    with pytest.raises(CertificateUnusable, match="has expired"):
        read_certificate(authority.issue(not_after=PAST))


def test_a_certificate_that_is_replaced_meanwhile_is_refused(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL reads the files a second time, so the two readings could be of different certificates."""
    files = authority.issue()
    load = ssl.SSLContext.load_cert_chain

    def replaced_first(context: ssl.SSLContext, *paths: object) -> None:
        authority.issue()
        load(context, *paths)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", replaced_first)
    with pytest.raises(CertificateUnusable, match="was replaced while it was read"):
        read_certificate(files)
