"""Looks at the certificate that a server shows, and says whether the system's authorities vouch for it."""

from __future__ import annotations

import socket
import ssl
from typing import Any, NamedTuple

from chatbooth_grpc.tls.fingerprints import fingerprint_of
from chatbooth_grpc.tls.trust import ClientCertificate, Trusted, client_context, curious_context

_EXPIRED = 10
_SELF_SIGNED = (18, 19)
_UNKNOWN_AUTHORITY = (2, 20, 21)
_OTHER_NAME = (62, 64)
"""Numbers of OpenSSL's X509_V_ERR_… for what is wrong with a certificate."""


Content = dict[str, Any]
"""The content of a certificate, as Python's library gives it."""


class Shown(NamedTuple):
    """The certificate that a server shows."""

    certificate: str
    """In PEM."""
    fingerprint: str
    name: str
    """One of the names or addresses that the certificate is for. Empty if it has none."""
    problem: str
    """Why the system's authorities do not vouch for it. Empty if they do."""
    is_expired: bool


def examine(server: str, timeout: float, *, alpn: str = "", own: ClientCertificate | None = None) -> Shown:
    """Look at the certificate of the server at `HOST:PORT`. Each of a few connections may take `timeout` seconds.

    `alpn` is the protocol to ask for. Raises OSError if no connection is made, and ssl.SSLError, an OSError too, if the
    server does not speak TLS.
    """
    problem = _problem(server, timeout, client_context(Trusted(), own), alpn)
    der, _ = _shake_hands(server, timeout, curious_context(own), alpn)
    if not der:
        raise ssl.SSLError("the server shows no certificate")
    certificate = ssl.DER_cert_to_PEM_cert(der)
    # Python shows the content of a certificate only to a client that trusts it.
    try:
        _, content = _shake_hands(server, timeout, client_context(Trusted(certificate), own), alpn)
    except ssl.SSLCertVerificationError as error:
        is_expired = error.verify_code == _EXPIRED
        return Shown(certificate, fingerprint_of(der), "", problem or error.verify_message, is_expired)
    return Shown(certificate, fingerprint_of(der), _name(content), problem, False)


def _problem(server: str, timeout: float, context: ssl.SSLContext, alpn: str) -> str:
    try:
        _shake_hands(server, timeout, context, alpn)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _SELF_SIGNED:
            return "it is signed by itself"
        if error.verify_code in _UNKNOWN_AUTHORITY:
            return "its authority is not known"
        if error.verify_code in _OTHER_NAME:
            return "it is for another name"
        return error.verify_message
    return ""


def _shake_hands(server: str, timeout: float, context: ssl.SSLContext, alpn: str) -> tuple[bytes | None, Content]:
    """Connect, and return the certificate in DER, and its content if the context trusts it."""
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    if alpn:
        context.set_alpn_protocols([alpn])
    try:
        opened = socket.create_connection((host, int(port)), timeout)
    except UnicodeError as error:  # Python raises it for a name that is no host's
        raise OSError(f"{host} is no host's name") from error
    with (
        opened as connected,
        context.wrap_socket(connected, server_hostname=host) as secured,
    ):
        content: Any = secured.getpeercert() or {}
        return secured.getpeercert(True), content


def _name(content: Content) -> str:
    """Return a name of a certificate, a host's rather than an address."""
    subjects = content.get("subjectAltName", ())
    common = [value for part in content.get("subject", ()) for kind, value in part if kind == "commonName"]
    hosts = [value for kind, value in subjects if kind == "DNS" and not value.startswith("*")]
    return next(iter([*hosts, *(value for kind, value in subjects if kind == "IP Address"), *common]), "")
