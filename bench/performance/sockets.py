"""The sockets of a load, with TLS or without. Bench only: no certificate is checked."""

from __future__ import annotations

import socket
import ssl

_READ_SIZE = 1 << 20
_TLS = "+tls"


def is_wire(address: str) -> bool:
    """Return whether an address is one of the wire protocol."""
    return address.startswith("wire")


def authority(address: str) -> str:
    """Return HOST:PORT of an address, which may begin with a scheme such as grpc+tls:// or wire://."""
    return address.rpartition("://")[2]


def connect(address: str) -> socket.socket:
    """Return a connected socket. It speaks TLS if the address's scheme ends in +tls."""
    host, _, port = authority(address).rpartition(":")
    plain = socket.create_connection((host, int(port)))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not address.partition("://")[0].endswith(_TLS):
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if not is_wire(address):
        context.set_alpn_protocols(["h2"])
    return context.wrap_socket(plain)


def receive(connection: socket.socket) -> bytes:
    """Wait for bytes, and return all that TLS has decrypted, since a selector does not see those. Empty at the end."""
    data = connection.recv(_READ_SIZE)
    if not isinstance(connection, ssl.SSLSocket):
        return data
    parts = [data]
    while parts[-1] and connection.pending():
        parts.append(connection.recv(_READ_SIZE))
    return b"".join(parts)
