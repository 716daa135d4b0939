"""Server addresses, in the one form that channels are opened by and files are named after."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

DEFAULT_PORT = 50051
DEFAULT_SERVER = f"127.0.0.1:{DEFAULT_PORT}"
GRPC_TLS_SCHEME = "grpc+tls://"
WIRE_SCHEME = "wire://"
WIRE_TLS_SCHEME = "wire+tls://"
DEFAULT_WIRE_PORT = 8080
UNIX = "unix:"
WIRE_UNIX = "wire+unix:"

_THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")

_HOST_AND_PORT = re.compile(r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?)(?::(?P<port>[0-9]{1,19}))?")
_IPV6_AND_PORT = re.compile(r"\[(?P<host>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\](?::(?P<port>[0-9]{1,19}))?")
# A host may be named unix. Then a port follows.
_SOCKET = re.compile(r"(?P<kind>(?:wire\+)?unix:)(?://)?(?P<path>(?![0-9]*$).+)", re.IGNORECASE)

_LONGEST_PATH = 100
"""How many bytes the path of a unix socket may have. Linux takes 107 of them, and macOS 103."""


class ServerAddress(NamedTuple):
    """The parts of a normal address."""

    is_wire: bool
    is_tls: bool
    place: str
    """`HOST:PORT`, or `unix:PATH`."""


def parts_of(address: str) -> ServerAddress:
    """Return the parts of a normal address."""
    if address.startswith((UNIX, WIRE_UNIX)) and _SOCKET.fullmatch(address):
        is_wire = address.startswith(WIRE_UNIX)
        return ServerAddress(is_wire, False, address.removeprefix("wire+") if is_wire else address)
    scheme, found, rest = address.rpartition("://")
    return ServerAddress(scheme.startswith("wire"), scheme.endswith("+tls"), rest if found else address)


def normal_address(address: str) -> str:
    """Return `HOST:PORT` in lower case, with IPv6 in brackets. Without a port it is 50051. Raises ValueError.

    `wire://`, `grpc+tls://` or `wire+tls://` before it stays. The port of the wire protocol is 8080 if none is given.
    `unix:PATH` and `wire+unix:PATH` name a socket of this machine.
    """
    address = address.strip()
    if socket := _SOCKET.fullmatch(address):
        return socket["kind"].lower() + _normal_path(socket["path"])
    scheme, found, rest = address.partition("://")
    scheme = f"{scheme.lower()}://" if found else ""
    if scheme not in ("", GRPC_TLS_SCHEME, WIRE_SCHEME, WIRE_TLS_SCHEME):
        raise ValueError(
            f"{address!r} is not a server's address: write {rest} alone, or grpc+tls:// before it for TLS, or wire:// "
            "or wire+tls:// for the wire protocol"
        )
    port = DEFAULT_WIRE_PORT if scheme.startswith("wire") else DEFAULT_PORT
    return scheme + _normal_host_and_port(rest if found else address, port)


def protected_address(address: str, *, is_insecure: bool) -> str:
    """Return the normal address with TLS, unless no other machine can read plain text, or `is_insecure` allows it.

    Raises ValueError if the address asks for plain text that others can read, and `is_insecure` does not allow it.
    """
    parts = parts_of(address)
    if is_insecure or parts.is_tls or is_loopback(address):
        return address
    if parts.is_wire:
        raise ValueError(
            f"{address} would send passwords and messages in plain text over the network: write "
            f"{WIRE_TLS_SCHEME}{parts.place}, or say --insecure if you mean it"
        )
    return GRPC_TLS_SCHEME + address


def _normal_path(path: str) -> str:
    path = os.path.abspath(path)  # noqa: PTH100  # pathlib keeps ".."
    if len(os.fsencode(path)) > _LONGEST_PATH or "\0" in path:
        raise ValueError(f"{path!r} is not a socket's path: it may have {_LONGEST_PATH} bytes")
    return path


def _normal_host_and_port(address: str, default_port: int) -> str:
    bracketed = f"[{address}]" if address.count(":") > 1 and not address.startswith("[") else address
    parts = _IPV6_AND_PORT.fullmatch(bracketed)
    if parts:
        host = f"[{_normal_ipv6(parts['host'])}]"
    else:
        parts = _HOST_AND_PORT.fullmatch(bracketed)
        if not parts:
            raise _not_an_address(address)
        host = parts["host"].lower()
    port = int(parts["port"] or default_port)
    if not 0 < port < 1 << 16:
        raise ValueError(f"{address!r} is not a server's address: a port is within 1 and 65535")
    return f"{host}:{port}"


def server_identity(address: str) -> str:
    """Return the one name of the server at a normal address.

    A name may end with a dot, and this machine has several names. Two of its names with one port are one server. The
    same port with and without TLS is one server too.
    """
    parts = parts_of(address)
    scheme = WIRE_SCHEME if parts.is_wire else ""
    if parts.place.startswith(UNIX) and _SOCKET.fullmatch(parts.place):
        return address
    host, _, port = parts.place.rpartition(":")
    host = host.rstrip(".")
    return f"{scheme}{_THIS_MACHINE[0] if host in _THIS_MACHINE else host}:{port}"


def other_names(identity: str) -> list[str]:
    """Return the other normal addresses of the server with this identity."""
    if _SOCKET.fullmatch(identity):
        return []
    scheme, found, rest = identity.rpartition("://")
    host, _, port = rest.rpartition(":")
    hosts = [*_THIS_MACHINE[1:], "localhost."] if host == _THIS_MACHINE[0] else [f"{host}."]
    return [f"{scheme}{found}{other}:{port}" for other in hosts]


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a normal address."""
    place = parts_of(address).place
    if _SOCKET.fullmatch(place):
        return True
    host = place.rpartition(":")[0].rstrip(".")
    return host in {"localhost", "[::1]"} or host.endswith(".localhost") or bool(re.fullmatch(r"127(\.\d+){3}", host))


def _normal_ipv6(host: str) -> str:
    # Few addresses need it, and it is slow to import.
    from ipaddress import IPv6Address

    try:
        return str(IPv6Address(host))
    except ValueError as error:
        raise _not_an_address(host) from error


def _not_an_address(address: str) -> ValueError:
    return ValueError(f"{address!r} is not a server's address: write HOST:PORT, such as {DEFAULT_SERVER}")
