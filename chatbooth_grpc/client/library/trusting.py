"""Whom a client trusts as a server over TLS, and what is wrong with a certificate that it does not trust."""

from __future__ import annotations

import ssl
from pathlib import Path

from chatbooth_grpc.booth.trust_errors import CertificateChanged, CertificateExpired, CertificateUnknown, NotTrusted
from chatbooth_grpc.client.library.security import Security
from chatbooth_grpc.client.state.known_servers import KnownServer, KnownServers
from chatbooth_grpc.server_address import parts_of
from chatbooth_grpc.tls.examining import Shown, examine
from chatbooth_grpc.tls.trust import ClientCertificate, Trusted
from chatbooth_grpc.wire.client.failures import unreachable
from chatbooth_grpc.wire.streams.byte_stream import TlsFailed

_LOOK_LIMIT = 5.0
"""How long each connection may take by which a certificate is looked at, in seconds."""


class Trust:
    """The trust in one server. Looking at its certificate makes connections of its own, and sends nothing over them."""

    def __init__(self, address: str, security: Security) -> None:
        """`address` is a normal one, with TLS."""
        self._address = address
        self._parts = parts_of(address)
        self._security = security
        folder = security.known_folder
        self._known_servers = None if folder is None else KnownServers(folder)

    @property
    def own(self) -> ClientCertificate | None:
        """The certificate that the client shows."""
        certificate, key = self._security.certificate, self._security.key
        return None if certificate is None or key is None else ClientCertificate(Path(certificate), Path(key))

    def known(self) -> KnownServer | None:
        """Return how the server is known. Raises OSError, ValueError."""
        return self._known_servers.load(self._address) if self._known_servers else None

    def trusted(self) -> Trusted:
        """Return whom to trust. This connects if only a fingerprint is given.

        Raises NotTrusted if the server has another certificate. Raises OSError if it cannot be asked, and ValueError.
        """
        known, wanted = self.known(), self._security.trust
        if wanted and (known is None or known.fingerprint != wanted):
            shown = self.look()
            if shown.fingerprint != wanted:
                raise CertificateChanged(self._parts.place, wanted, shown.fingerprint)
            return self.accept(shown)
        return Trusted(known.certificate, known.name) if known else Trusted()

    def look(self) -> Shown:
        """Return the certificate that the server shows. Raises OSError."""
        alpn = "" if self._parts.is_wire else "h2"
        return examine(self._parts.place, _LOOK_LIMIT, alpn=alpn, own=self.own)

    def shown(self) -> Shown:
        """Return the certificate that the server shows. Raises ServerUnreachable, with advice for a person."""
        try:
            return self.look()
        except ssl.SSLError as error:
            raise unreachable(self._parts.place, TlsFailed(str(error))) from error
        except OSError as error:
            raise unreachable(self._parts.place, error) from error

    def accept(self, shown: Shown) -> Trusted:
        """Know the server by this certificate from now on. Raises CertificateExpired, OSError."""
        if shown.is_expired:
            raise CertificateExpired(self._parts.place, shown.fingerprint)
        self._keep(KnownServer(shown.certificate, shown.fingerprint, shown.name))
        return Trusted(shown.certificate, shown.name)

    def accept_authorities(self) -> None:
        """Know the server as one for which the system's authorities vouch. Raises OSError."""
        self._keep(KnownServer())

    def refusal(self) -> NotTrusted | None:
        """Return what is wrong with the server's certificate. None means that it cannot be found out, or is right."""
        try:
            return self.judge(self.look(), self.known())
        except (OSError, ValueError):
            return None

    def judge(self, shown: Shown, known: KnownServer | None) -> NotTrusted | None:
        """Return what is wrong with a certificate. None means that it is trusted."""
        place, wanted = self._parts.place, self._security.trust or (known.fingerprint if known else "")
        if shown.is_expired:
            return CertificateExpired(place, shown.fingerprint)
        if wanted:
            return None if shown.fingerprint == wanted else CertificateChanged(place, wanted, shown.fingerprint)
        if not shown.problem:
            return None
        if known is not None:
            return CertificateChanged(place, "", shown.fingerprint)
        return CertificateUnknown(place, shown.fingerprint, shown.problem)

    def _keep(self, known: KnownServer) -> None:
        if self._known_servers is not None:
            self._known_servers.keep(self._address, known)
