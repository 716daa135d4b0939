"""Gives gRPC the server's certificate, and each new one without a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from chatbooth_grpc.tls.reloading import CurrentCertificate
    from chatbooth_grpc.tls.server_certificate import ServerCertificate


class Credentials:
    """Hands gRPC the present certificate.

    gRPC asks on one of its own threads, once for each handshake. So the answer is made when the certificate changes.
    """

    def __init__(self, current: CurrentCertificate) -> None:
        self._is_mutual = current.now.client_ca is not None
        self._prepared: Any = None
        current.watch(self._prepare)

    def for_address(self) -> grpc.ServerCredentials:
        """Return the credentials of one address on which gRPC listens. gRPC keeps a certificate for each address."""
        kept = self._prepared

        def fetch() -> Any:
            """Return the certificate if it has changed since the last call. None makes gRPC keep the last one."""
            nonlocal kept
            prepared = self._prepared
            if prepared is kept:
                return None
            kept = prepared
            return prepared

        return grpc.dynamic_ssl_server_credentials(kept, fetch, require_client_authentication=self._is_mutual)

    def _prepare(self, certificate: ServerCertificate) -> None:
        self._prepared = grpc.ssl_server_certificate_configuration(
            [(certificate.key, certificate.chain)], root_certificates=certificate.client_ca
        )
