"""Reads a server's certificate, and refuses one that no client could use."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from chatbooth_grpc.tls.certificate_files import CertificateFiles, CertificateUnusable
from chatbooth_grpc.tls.fingerprints import fingerprint_of

_EXPIRED = 10
_NOT_YET_VALID = 9
"""The numbers of X509_V_ERR_CERT_HAS_EXPIRED and X509_V_ERR_CERT_NOT_YET_VALID in OpenSSL."""


@dataclass(frozen=True)
class ServerCertificate:
    """A certificate that was read whole, and that was tried. The bytes are in PEM."""

    chain: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext
    """A server's context for TLS 1.3 with all of them."""
    fingerprint: str
    ends: float
    """When the certificate expires, in seconds since 1970."""


def read_certificate(files: CertificateFiles) -> ServerCertificate:
    """Read a server's certificate and try it. Raises CertificateUnusable."""
    before = _signature(files)
    try:
        read: ServerCertificate | CertificateUnusable = _read_all(files)
    except CertificateUnusable as error:
        read = error
    # OpenSSL reads the files by itself, after this program. So they must not have changed in between.
    if _signature(files) != before:
        raise CertificateUnusable(f"{files.certificate} was replaced while it was read")
    if isinstance(read, CertificateUnusable):
        raise read
    return read


def _read_all(files: CertificateFiles) -> ServerCertificate:
    chain, key = _read(files.certificate), _read(files.key)
    client_ca = _read(files.client_ca) if files.client_ca else None
    context = _server_context(files, chain)
    der, ends = _try(context, chain, files.certificate)
    if client_ca is not None:
        _demand_client_certificates(context, client_ca, files)
    return ServerCertificate(chain, key, client_ca, context, fingerprint_of(der), ends)


def _signature(files: CertificateFiles) -> object:
    try:
        return files.signature()
    except OSError as error:
        raise CertificateUnusable(f"{error.filename}: {(error.strerror or str(error)).lower()}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateUnusable(f"{path}: {(error.strerror or str(error)).lower()}") from error


def _server_context(files: CertificateFiles, chain: bytes) -> ssl.SSLContext:
    """Return a context with the certificate and the key. Raises CertificateUnusable if they do not fit each other."""
    _authorities(chain, files.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Clients do not resume sessions, so tickets would be written for nothing.
    context.num_tickets = 0
    try:
        context.load_cert_chain(files.certificate, files.key, _refuse_to_ask(files.key))
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            words = f"the key {files.key} does not fit the certificate {files.certificate}"
        else:
            words = f"{files.key} has no private key in PEM that can be used"
        raise CertificateUnusable(words) from error
    return context


def _refuse_to_ask(key: Path) -> Callable[[], str]:
    """Return the function that OpenSSL calls for a key's password. Without it, OpenSSL would ask on the terminal."""

    def refuse() -> NoReturn:
        raise CertificateUnusable(f"the key {key} is encrypted; write it without a password, readable by you alone")

    return refuse


def _authorities(pem: bytes, path: Path) -> ssl.SSLContext:
    """Return a client's context that trusts the certificates of a file alone. Raises CertificateUnusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise CertificateUnusable(f"{path} has no certificate in PEM that can be used") from error
    return context


def _demand_client_certificates(context: ssl.SSLContext, client_ca: bytes, files: CertificateFiles) -> None:
    assert files.client_ca is not None  # noqa: S101  # its content is here
    _authorities(client_ca, files.client_ca)
    context.load_verify_locations(cadata=client_ca.decode("ascii", "ignore"))
    context.verify_mode = ssl.CERT_REQUIRED


def _try(context: ssl.SSLContext, chain: bytes, path: Path) -> tuple[bytes, float]:
    """Shake hands with a client that trusts the certificate. Return its DER, and when it expires.

    Python's library shows the content of a certificate only after a handshake. The handshake also finds other faults
    that would keep clients away. Raises CertificateUnusable.
    """
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = _authorities(chain, path).wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLCertVerificationError as error:
        raise CertificateUnusable(f"the certificate {path} {_problem(error)}") from error
    except ssl.SSLError as error:
        raise CertificateUnusable(f"the certificate {path} cannot be used for TLS 1.3 ({error.reason})") from error
    der, content = client.getpeercert(True), client.getpeercert()
    if not der or not content:
        raise CertificateUnusable(f"the certificate {path} cannot be used for TLS 1.3")
    return der, ssl.cert_time_to_seconds(str(content["notAfter"]))


def _problem(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return "has expired; replace it by a renewed one"
    if error.verify_code == _NOT_YET_VALID:
        return "is not valid yet; check the clock of this machine"
    return f"cannot be used by a server ({error.verify_message})"
