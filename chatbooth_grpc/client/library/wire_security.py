"""Connections of the wire protocol over TLS, to a server that the client trusts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from chatbooth_grpc.booth.causes import NOT_VERIFIED
from chatbooth_grpc.client.library.trusting import Trust
from chatbooth_grpc.tls.trust import client_context
from chatbooth_grpc.wire.client.failures import unreachable
from chatbooth_grpc.wire.streams.byte_stream import ByteStream, TlsFailed
from chatbooth_grpc.wire.streams.tls_stream import tls_client


def secured_stream(place: str, trust: Trust) -> Callable[[socket.socket], ByteStream]:
    """Return a function that makes an encrypted stream of a socket that is connected to `HOST:PORT`.

    It raises NotTrusted if the server's certificate is not one that the client trusts, and OSError.
    """
    host = place.rpartition(":")[0].strip("[]")

    def open_stream(connected: socket.socket) -> ByteStream:
        trusted = trust.trusted()
        context = client_context(trusted, trust.own)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            return tls_client(context, trusted.name or host)(connected)
        except TlsFailed as error:
            refusal = trust.refusal() if unreachable(place, error).cause == NOT_VERIFIED else None
            if refusal is not None:
                raise refusal from error
            raise

    return open_stream
