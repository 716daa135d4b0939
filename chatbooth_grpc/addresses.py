"""Network addresses: how they are written, looked up, and bound to sockets."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chatbooth_grpc import unix_sockets

_LOCALHOST = ("127.0.0.1", "::1")
_ANY_IPV6 = "::"
_ATTEMPTS = 20
"""How many ports that are free on one address are tried on the host's other addresses."""

# A machine without IPv6 gives one of these errors for an IPv6 address.
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}

_log = logging.getLogger(__name__)


class ListenError(Exception):
    """The server cannot listen on a host. The text says what to do."""


@dataclass(frozen=True)
class Host:
    """The host on which a server listens: the name that a person gave, and its IP addresses.

    Or the path of a unix socket, which has no address and no port.
    """

    name: str
    addresses: tuple[str, ...]
    path: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return all(ipaddress.ip_address(address).is_loopback for address in self.addresses)

    def text(self, port: int) -> str:
        """Return `HOST:PORT`, or `unix:PATH`."""
        return address_text(self.name, port) if self.path is None else f"{unix_sockets.PREFIX}{self.path}"

    def beside(self, suffix: str) -> Host:
        """Return the host for another protocol. An address has another port, and a socket a name with a suffix."""
        if self.path is None:
            return self
        return replace(self, path=self.path.with_name(self.path.name + suffix))


@dataclass(frozen=True)
class Peers:
    """Addresses of other machines, by their networks, and whether unix sockets belong to them."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    has_sockets: bool = False

    def has(self, host: str) -> bool:
        """Whether an IP address belongs to them. An empty one stands for the other end of a unix socket."""
        if not host:
            return self.has_sockets
        address = ipaddress.ip_address(host.partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self.networks)


NOBODY = Peers()


def read_peers(text: str) -> Peers:
    """Read addresses and networks with commas between them, and `unix` for unix sockets. Raises ValueError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    networks = tuple(ipaddress.ip_network(word) for word in words if word != "unix")
    return Peers(networks, "unix" in words)


def address_text(host: str, port: int | str) -> str:
    """Return `HOST:PORT`, with IPv6 in brackets. An IPv4 client of an IPv6 socket is written as IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    if isinstance(address, ipaddress.IPv6Address):
        return f"{address.ipv4_mapped}:{port}" if address.ipv4_mapped else f"[{address}]:{port}"
    return f"{address}:{port}"


def look_up(name: str, resolve: Callable[..., Any] = socket.getaddrinfo) -> Host:
    """Return the host of a name or an IP address, which may be in brackets. Raises ListenError if it does not resolve.

    `localhost` always means both loopback addresses, as RFC 6761 demands. The machine's resolver is not asked.
    """
    if name.startswith(unix_sockets.PREFIX):
        return _socket_host(name.removeprefix(unix_sockets.PREFIX))
    name = name.strip("[]")
    if name.rstrip(".").lower() == "localhost":
        return Host(name, _LOCALHOST)
    try:
        found = resolve(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ListenError(
            f"the host {name} does not resolve ({reason.lower()}); give an address of this machine"
        ) from error
    return Host(name, tuple(dict.fromkeys(str(address[0]) for *_, address in found)))


def _socket_host(path: str) -> Host:
    absolute = Path(path).absolute()
    if not path or len(str(absolute).encode()) > unix_sockets.LONGEST:
        raise ListenError(f"unix:{path} is not a socket's path; give one of at most {unix_sockets.LONGEST} bytes")
    return Host(f"{unix_sockets.PREFIX}{absolute}", (), absolute)


def bind(host: Host, port: int) -> list[socket.socket]:
    """Return a socket for each of a host's addresses, all bound to one port. Port 0 takes one that is free on all.

    An address is left out if this machine does not have its family, and the host has another. Raises ListenError.
    """
    if host.path is not None:
        try:
            return [unix_sockets.bind_unix(host.path)]
        except OSError as error:
            raise ListenError(
                f"cannot listen on {host.text(port)}: {(error.strerror or str(error)).lower()}"
            ) from error
    for attempt in range(_ATTEMPTS):
        try:
            return _bind_all(host, port)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                raise ListenError(f"cannot listen on {host.text(port)}: {_reason(error)}") from error
    raise AssertionError


def _bind_all(host: Host, port: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    with ExitStack() as closing:
        for address in host.addresses:
            try:
                made = closing.enter_context(_bind_one(address, port))
            except OSError as error:
                if error.errno not in _NO_SUCH_ADDRESS or (address == host.addresses[-1] and not bound):
                    raise
                _log.info("an address is left out", extra={"address": address, "reason": _reason(error)})
            else:
                bound.append(made)
                port = made.getsockname()[1]
        closing.pop_all()
    return bound


def _bind_one(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A restarted server can bind the port at once, although connections of the server before it still time out.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            only = not (address == _ANY_IPV6 and socket.has_dualstack_ipv6())
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        made.bind((address, port))
    except BaseException:
        made.close()
        raise
    return made


def _reason(error: OSError) -> str:
    """Return the reason in words, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return "the port is taken; stop what uses it, or choose another port"
    if error.errno in _NO_SUCH_ADDRESS:
        return "the address is not this machine's; give one that is"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "this needs rights that the server does not have; choose a port from 1024 on"
    return (error.strerror or str(error)).lower()
