"""The certificate that the server makes: private, made once, and good for every name of the server."""

from __future__ import annotations

import builtins
import datetime
import ipaddress
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from chatbooth_grpc.tls.certificate_files import CertificateFiles, CertificateUnusable
from chatbooth_grpc.tls.self_signed import PINNED_NAME, make_certificate_once
from chatbooth_grpc.tls.server_certificate import read_certificate

x509 = pytest.importorskip("cryptography.x509")


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return CertificateFiles(tmp_path / "server.crt", tmp_path / "server.key")


def test_it_is_good_for_a_server_for_ten_years_under_each_of_its_names(files: CertificateFiles) -> None:
    assert make_certificate_once(files, ["Chat.example", "192.0.2.1", "chat.example", "bücher.example"])
    read_certificate(files)
    made = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["chat.example", "localhost", PINNED_NAME]
    addresses = [ipaddress.ip_address(each) for each in ("192.0.2.1", "127.0.0.1", "::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    left = made.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    assert left > datetime.timedelta(days=3_650)
    assert made.public_key().curve.name == "secp256r1"


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_its_owner_alone_can_read_it(files: CertificateFiles, mask: int) -> None:
    before = os.umask(mask)
    try:
        make_certificate_once(files, [])
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (files.certificate, files.key)] == [0o600, 0o600]
    assert sorted(files.key.parent.iterdir()) == [files.certificate, files.key]


def test_it_is_made_once(files: CertificateFiles) -> None:
    make_certificate_once(files, [])
    first = files.certificate.read_bytes()
    assert not make_certificate_once(files, [])
    assert files.certificate.read_bytes() == first


def test_half_of_it_is_not_replaced_in_silence(files: CertificateFiles) -> None:
    make_certificate_once(files, [])
    files.key.unlink()
    with pytest.raises(CertificateUnusable, match=r"only .*server\.crt is there"):
        make_certificate_once(files, [])


def test_a_folder_that_takes_no_file_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(CertificateUnusable, match=r"absent.*no such file"):
        make_certificate_once(CertificateFiles(absent / "crt", absent / "key"), [])


def test_a_key_whose_certificate_cannot_be_written_is_removed(tmp_path: Path) -> None:
    files = CertificateFiles(tmp_path / "absent" / "server.crt", tmp_path / "server.key")
    with pytest.raises(CertificateUnusable):
        make_certificate_once(files, [])
    assert not files.key.exists()


def test_without_the_library_the_error_says_what_to_install(
    files: CertificateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "cryptography":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CertificateUnusable, match=r"pip install '\.\[tls\]' in a clone"):
        make_certificate_once(files, [])
