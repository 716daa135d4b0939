"""Makes a self-signed certificate, which clients know by its fingerprint."""

from __future__ import annotations

import datetime
import ipaddress
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from chatbooth_grpc.tls.certificate_files import CertificateFiles, CertificateUnusable

PINNED_NAME = "chatbooth.invalid"
"""A name in every certificate that is made here. By RFC 2606, no host will ever have it.

A client that knows the certificate checks this name, because it trusts that certificate under any name of its host.
"""

_LIFE = datetime.timedelta(days=3_653)
"""Ten years. Clients that know a certificate by its fingerprint refuse the next one until a person accepts it."""

_BEFORE = datetime.timedelta(days=1)
"""The certificate is valid from this long before it is made, because the clock of a client may be late."""


def make_certificate_once(files: CertificateFiles, names: Iterable[str]) -> bool:
    """Make the certificate and its key for these names and addresses. Return False if both exist already.

    Both files are readable by their owner alone. Raises CertificateUnusable.
    """
    exist = [path for path in (files.certificate, files.key) if path.exists()]
    if len(exist) == 2:
        return False
    if exist:
        raise CertificateUnusable(
            f"of {files.certificate} and {files.key} only {exist[0]} is there; put the other one back, or remove it to "
            "have both made anew, which every client has to accept"
        )
    key, certificate = _make(names)
    try:
        # The key comes first. A certificate without its key could be served by nobody.
        _write(files.key, key)
        try:
            _write(files.certificate, certificate)
        except OSError:
            files.key.unlink()
            raise
    except OSError as error:
        raise CertificateUnusable(f"{error.filename}: {(error.strerror or str(error)).lower()}") from error
    return True


def _make(names: Iterable[str]) -> tuple[bytes, bytes]:
    """Return a new key and its certificate, in PEM. Raises CertificateUnusable without the library that makes them."""
    # It is large, and only this needs it.
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError as error:
        raise CertificateUnusable(
            "making a certificate needs the package cryptography: install it with pip install cryptography, or "
            "with pip install '.[tls]' in a clone of chatbooth"
        ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chatbooth")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_subjects(x509, names)), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    key_pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key_pem, certificate.public_bytes(encoding)


def _subjects(x509: Any, names: Iterable[str]) -> list[Any]:
    """Return the names in the certificate: each name once, and the name that clients check."""
    subjects = []
    for name in dict.fromkeys([*map(str.lower, names), "localhost", "127.0.0.1", "::1", PINNED_NAME]):
        try:
            subjects.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            # A name that is not ASCII cannot be in a certificate as it is. Clients check PINNED_NAME anyway.
            with suppress(ValueError):
                subjects.append(x509.DNSName(name))
    return subjects


def _write(path: Path, content: bytes) -> None:
    """Write a new file for its owner alone, so that it is there whole or not at all, also after a power loss."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
