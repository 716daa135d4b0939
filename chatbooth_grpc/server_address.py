"""Server addresses, in the one form that opens channels and names files."""

from __future__ import annotations

import re

DEFAULT_PORT = 50051
DEFAULT_SERVER = f"127.0.0.1:{DEFAULT_PORT}"
WIRE_SCHEME = "wire://"
DEFAULT_WIRE_PORT = 8080

_THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")

_HOST_AND_PORT = re.compile(r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?)(?::(?P<port>[0-9]{1,19}))?")
_IPV6_AND_PORT = re.compile(r"\[(?P<host>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\](?::(?P<port>[0-9]{1,19}))?")


def normal_address(address: str) -> str:
    """Return `HOST:PORT` in lower case, with IPv6 in brackets. Without a port it is 50051. Raises ValueError.

    An address of a wire protocol server begins with `wire://`, and keeps that. Without a port it is 8080.
    """
    address = address.strip()
    scheme, found, rest = address.partition("://")
    if found and scheme.lower() != "wire":
        raise ValueError(f"{address!r} is not a server's address: write {rest} alone, or wire:// for the wire protocol")
    if found:
        return WIRE_SCHEME + _normal_host_and_port(rest, DEFAULT_WIRE_PORT)
    return _normal_host_and_port(address, DEFAULT_PORT)


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

    A name may end with a dot, and this machine has several names. Two of its names with one port are one server.
    """
    scheme, found, rest = address.rpartition("://")
    host, _, port = rest.rpartition(":")
    host = host.rstrip(".")
    return f"{scheme}{found}{_THIS_MACHINE[0] if host in _THIS_MACHINE else host}:{port}"


def other_names(identity: str) -> list[str]:
    """Return the other normal addresses of the server with this identity."""
    scheme, found, rest = identity.rpartition("://")
    host, _, port = rest.rpartition(":")
    hosts = [*_THIS_MACHINE[1:], "localhost."] if host == _THIS_MACHINE[0] else [f"{host}."]
    return [f"{scheme}{found}{other}:{port}" for other in hosts]


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a normal address."""
    host = address.rpartition(":")[0].rstrip(".")
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
