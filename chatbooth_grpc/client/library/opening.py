"""Opens the transport to a server: gRPC or the wire protocol, in plain text, over TLS, or over a unix socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.library.security import Security
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.server_address import parts_of

if TYPE_CHECKING:
    from chatbooth_grpc.client.library.trusting import Trust


def open_transport(address: str, security: Security) -> Transport:
    """Return a transport to a normal address. It connects at its first call."""
    parts = parts_of(address)
    # Importing gRPC or the TLS library takes long, so each is imported only by those who use it.
    if parts.is_tls:
        from chatbooth_grpc.client.library.trusting import Trust

        trust = Trust(address, security)
        return _wire_over_tls(parts.place, trust) if parts.is_wire else _grpc_over_tls(parts.place, trust)
    if parts.is_wire:
        from chatbooth_grpc.wire.client.wire_transport import WireTransport

        return WireTransport(parts.place)
    from chatbooth_grpc.client.library.grpc_transport import GrpcTransport

    return GrpcTransport(parts.place)


def _wire_over_tls(place: str, trust: Trust) -> Transport:
    from chatbooth_grpc.client.library.wire_security import secured_stream
    from chatbooth_grpc.wire.client.wire_transport import WireTransport

    return WireTransport(place, secured_stream(place, trust))


def _grpc_over_tls(place: str, trust: Trust) -> Transport:
    from chatbooth_grpc.client.library.grpc_security import secured_transport
    from chatbooth_grpc.client.library.lazy_transport import LazyTransport

    return LazyTransport(lambda: secured_transport(place, trust), place)
