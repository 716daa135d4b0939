"""Turns the address of a client into the key under which limits count that client."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
"""The networks that are trusted unless an operator says otherwise."""

# A household or a server usually has a whole network of this length, so one client can use all its addresses.
_IPV6_PREFIX = 64
_REMEMBERED = 4_096


class ClientAddresses:
    """Finds the keys of clients. It remembers a limited number of them. Many threads may use it."""

    def __init__(self, trusted: Iterable[Network] = LOOPBACK) -> None:
        """Clients in a `trusted` network have no key. Otherwise a reverse proxy would make one client of all."""
        self._trusted = tuple(trusted)
        self._key_of_host = lru_cache(_REMEMBERED)(self._find_key)

    def key(self, peer: str) -> str | None:
        """Return the key of a client, whose address is HOST:PORT. None means that it is trusted, or has no address.

        The key of an IPv6 address is its /64 network. A client of a unix socket has no address.
        """
        return self._key_of_host(peer.rpartition(":")[0])

    def _find_key(self, host: str) -> str | None:
        try:
            address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return None
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in self._trusted):
            return None
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
        return str(address)


def read_networks(text: str) -> tuple[Network, ...]:
    """Read networks and addresses that are separated by commas. `loopback` stands for the two of this machine.

    Raises ValueError, which names the wrong part.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(
        network for part in parts for network in (LOOPBACK if part == "loopback" else (ipaddress.ip_network(part),))
    )
