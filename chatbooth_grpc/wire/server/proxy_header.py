"""The header of the PROXY protocol, by which a proxy says for whom it connects, in versions 1 and 2.

https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt is its specification. The header comes before everything
else, also before the handshake of TLS. So this reads from the socket itself, and not one byte beyond the header.
"""

from __future__ import annotations

import ipaddress
import socket
import struct

from chatbooth_grpc.addresses import address_text

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_LONGEST_LINE = 107
_LONGEST_REST = 2_048
"""How many bytes of addresses and extensions a header of version 2 may have here. The specification allows 65,535."""


class NoProxyHeader(ConnectionError):
    """A proxy did not begin with a header that can be read."""


def receive_header(proxied: socket.socket) -> str | None:
    """Read the header. Return the address of the client, or None if the proxy connects for itself.

    Raises NoProxyHeader, an OSError, and other errors of the socket. The caller ends the socket if this takes too long.
    """
    start = _receive(proxied, len(_SIGNATURE))
    if start == _SIGNATURE:
        command, family, size = struct.unpack("!BBH", _receive(proxied, 4))
        if size > _LONGEST_REST:
            raise NoProxyHeader
        return _version_2(command, family, _receive(proxied, size))
    if not start.startswith(b"PROXY "):
        raise NoProxyHeader
    line = start
    # Reading more at once could take bytes that follow the header.
    while not line.endswith(b"\r\n"):
        if len(line) >= _LONGEST_LINE:
            raise NoProxyHeader
        line += _receive(proxied, 1)
    return _version_1(line)


def _receive(proxied: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = proxied.recv(size - len(data))
        if not more:
            raise NoProxyHeader
        data += more
    return data


def _version_1(line: bytes) -> str | None:
    words = line.decode("latin-1").removesuffix("\r\n").split(" ")
    if words[1] == "UNKNOWN":
        return None
    try:
        _, family, source, destination, port, destination_port = words
        version = {"TCP4": 4, "TCP6": 6}[family]
        if {ipaddress.ip_address(each).version for each in (source, destination)} != {version}:
            raise NoProxyHeader
        _port(destination_port)
        return address_text(source, _port(port))
    except (ValueError, KeyError) as error:
        raise NoProxyHeader from error


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise ValueError(text)
    return int(text)


def _version_2(command: int, family: int, rest: bytes) -> str | None:
    if command == _LOCAL:
        return None
    size = {_TCP4: 4, _TCP6: 16}.get(family)
    if command != _PROXY or (size is not None and len(rest) < 2 * size + 4):
        raise NoProxyHeader
    if size is None:
        # The client's address is of another kind, such as a unix socket of the proxy's machine.
        return None
    [port] = struct.unpack_from("!H", rest, 2 * size)
    return address_text(str(ipaddress.ip_address(rest[:size])), port)
