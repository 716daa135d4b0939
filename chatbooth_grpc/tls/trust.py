"""A client's contexts for TLS: which certificates it trusts, and which it shows itself."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ClientCertificate:
    """The files of the certificate by which a client shows who it is, in PEM."""

    certificate: Path
    key: Path

    def read(self) -> tuple[bytes, bytes]:
        """Return the certificate and the key. Raises OSError."""
        return self.certificate.read_bytes(), self.key.read_bytes()


@dataclass(frozen=True)
class Trusted:
    """The one certificate that is trusted as a server's, in PEM. If it is empty, the system's authorities decide.

    A server is known by that very certificate. So the host's name is not looked for in it, but `name`, one of those
    that it has.
    """

    certificate: str = ""
    name: str = ""


def client_context(trusted: Trusted, own: ClientCertificate | None = None) -> ssl.SSLContext:
    """Return a context that trusts what `trusted` says. Raises OSError if the files of `own` are wrong."""
    context = ssl.create_default_context(cadata=trusted.certificate or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if trusted.certificate:
        # The certificate need not be an authority's.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.check_hostname = False
    _show(context, own)
    return context


def curious_context(own: ClientCertificate | None = None) -> ssl.SSLContext:
    """Return a context that takes any certificate, to look at it. Nothing may be sent over such a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _show(context, own)
    return context


def system_authorities() -> bytes | None:
    """Return the certificates of the system's authorities, in PEM. None means that they are not in one file."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, found)).encode() or None


def _show(context: ssl.SSLContext, own: ClientCertificate | None) -> None:
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
