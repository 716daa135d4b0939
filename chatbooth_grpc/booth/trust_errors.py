"""Why a client does not trust a server. Only clients raise these errors, and no server sends them."""

from __future__ import annotations

from dataclasses import dataclass

from chatbooth_grpc.booth.error_tree import ChatboothError


class NotTrusted(ChatboothError):
    """The client does not trust the server. It has sent nothing, and repeating the call does not help."""

    is_sent = False
    server: str
    """The address, HOST:PORT."""


@dataclass(eq=False)
class CertificateUnknown(NotTrusted):
    """The server has a certificate that the system's authorities do not vouch for, and that nobody has accepted."""

    reason = "CERTIFICATE_UNKNOWN"
    server: str
    fingerprint: str
    """The certificate's fingerprint, SHA256: and 64 hex digits."""
    problem: str = ""
    """Why the system's authorities do not vouch for it, in words."""

    def __str__(self) -> str:
        why = f": {self.problem}" if self.problem else ""
        return (
            f"The certificate of {self.server} cannot be verified{why}. Its fingerprint is {self.fingerprint}. If the "
            "server's operator names the same one, accept it. Nothing was sent."
        )


@dataclass(eq=False)
class CertificateChanged(NotTrusted):
    """The server has another certificate than the one that was accepted. Somebody may be between it and the client."""

    reason = "CERTIFICATE_CHANGED"
    server: str
    known: str
    """The fingerprint of the accepted certificate. Empty if the system's authorities vouched for the server before."""
    fingerprint: str
    """The fingerprint of the certificate that the server shows now."""

    def __str__(self) -> str:
        known = self.known or "one that this system's authorities vouched for"
        return (
            f"THE CERTIFICATE OF {self.server} HAS CHANGED. Somebody may be reading the connection, or the operator "
            f"has replaced the certificate. It was {known}. It is now {self.fingerprint}. Ask the operator, and accept "
            "the new one only if it is theirs. Nothing was sent."
        )


@dataclass(eq=False)
class CertificateExpired(NotTrusted):
    """The server's certificate has expired."""

    reason = "CERTIFICATE_EXPIRED"
    server: str
    fingerprint: str
    """The fingerprint of the expired certificate."""

    def __str__(self) -> str:
        return (
            f"The certificate of {self.server} has expired ({self.fingerprint}). Its operator must replace it. Check "
            "the clock of this machine too. Nothing was sent."
        )


@dataclass(eq=False)
class PlainTextRefused(NotTrusted):
    """The client was asked to speak plain text to a server that it knows by TLS."""

    reason = "PLAIN_TEXT_REFUSED"
    server: str

    def __str__(self) -> str:
        return (
            f"{self.server} used TLS until now, and this would send passwords and messages in plain text. Nothing was "
            "sent. If its operator has turned TLS off, have this machine forget the server's certificate first."
        )
