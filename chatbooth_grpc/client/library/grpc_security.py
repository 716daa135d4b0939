"""gRPC over TLS, to a server that the client trusts."""

from __future__ import annotations

import grpc

from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.client.library.grpc_transport import GrpcTransport, Secured
from chatbooth_grpc.client.library.trusting import Trust
from chatbooth_grpc.tls.trust import system_authorities


def secured_transport(place: str, trust: Trust) -> GrpcTransport:
    """Return a transport to `HOST:PORT`. This may connect, to fetch a certificate of which the fingerprint is known.

    Raises NotTrusted, and ServerUnreachable if the certificate cannot be fetched.
    """
    try:
        trusted = trust.trusted()
        own_certificate, own_key = trust.own.read() if trust.own else (None, None)
    except OSError as error:
        raise ServerUnreachable(place) from error
    authorities = trusted.certificate.encode() or system_authorities()
    credentials = grpc.ssl_channel_credentials(authorities, own_key, own_certificate)
    return GrpcTransport(place, Secured(credentials, trusted.name, trust.refusal))
