"""How much of the server's slow work and connections one account or address may take."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chatbooth_grpc.booth.actions import LISTS, LOG_INS
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.occupancy import Occupancy


@dataclass(frozen=True)
class ShareLimits:
    """The most places that one account or address may take at once."""

    connections: int = 256
    """Connections of one address, over each wire."""
    handshakes: int = 64
    """Handshakes of TLS of one address that have not ended, over the wire protocol."""
    log_ins: int = 4
    """Calls of one address that take a password, whether they run or wait."""
    incomplete_calls: int = 128
    """gRPC calls of one address whose requests have not come."""
    lists: int = 4
    """Lists of one account, whether they run or wait."""
    watches: int = 4
    """Streams of one address that watch gRPC's health service."""
    reflections: int = 2
    """Streams of one address to gRPC's reflection service."""


class FairShares:
    """Refuses an account or an address that has taken its share. Many threads may use it."""

    def __init__(self, limits: ShareLimits | None = None, addresses: ClientAddresses | None = None) -> None:
        """Clients that have no key in `addresses` have no limit by address."""
        self.limits = limits or ShareLimits()
        self.addresses = addresses or ClientAddresses()
        self.wire_connections = Occupancy("connections from one address", self.limits.connections)
        self.handshakes = Occupancy("TLS handshakes at once from one address", self.limits.handshakes)
        self.watches = Occupancy("health watches at once from one address", self.limits.watches)
        self.reflections = Occupancy("reflection streams at once from one address", self.limits.reflections)
        self._slow = {
            LOG_INS: Occupancy("log-ins at once from one address", self.limits.log_ins),
            LISTS: Occupancy("lists at once of one account", self.limits.lists),
        }

    def place_of(self, slow: str, peer: str, account: Hashable) -> tuple[Occupancy, Hashable]:
        """Return where a call of the bulkhead `slow` takes a place, and the key under which it does.

        `peer` is the client's address, HOST:PORT. `account` is its account, or something else that stands for it.
        """
        return self._slow[slow], account if slow == LISTS else self.addresses.key(peer)

    @contextmanager
    def place(self, slow: str, peer: str, account: Hashable) -> Iterator[None]:
        """Take a place for as long as the block runs. Raises TooBusy."""
        places, key = self.place_of(slow, peer, account)
        with places.place(key):
            yield
