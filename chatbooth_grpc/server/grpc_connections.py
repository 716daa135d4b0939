"""Counts the connections of gRPC, and ends those of an address above its share.

gRPC reports no connection to Python. It closes each connection above the number that it was given when it is accepted,
on each address on which it listens. It does not know shares. So a thread looks at the sockets of the process a few
times a second, and shuts down the newest connections of an address that has too many.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from chatbooth_grpc.addresses import address_text
from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.booth.observing import GRPC
from chatbooth_grpc.server.bans import INSISTS
from chatbooth_grpc.server.open_sockets import OpenSocket, both_ends, open_sockets, shut_down

LOOK_INTERVAL = 0.25
"""How many seconds lie between two looks, at least."""

# A look at 4,000 connections takes about ten milliseconds, so the looks take at most one part in this of the time.
_PARTS = 25

FLOOD = 1_024
"""An address floods if so many of its connections are above a limit at one look."""

# While connections wait for their end, or an address has too many, the looks take at most one part in this. Otherwise
# an address could open so many connections between two looks that none is left for others.
_QUICK_PARTS = 4
_QUICK_INTERVAL = 0.125
_MOST_UNWANTED = 10_000

_log = logging.getLogger(__name__)


class _Connection(NamedTuple):
    """A socket that was looked at. The key is that of its client's address."""

    is_ours: bool
    key: str | None = None
    peer: str = ""


class GrpcConnections:
    """Keeps the connections of a gRPC server within the limits. One thread uses it, and any may read `count`."""

    def __init__(
        self,
        most: int,
        per_address: int,
        descriptors: int,
        addresses: ClientAddresses | None = None,
        refused: Callable[[str], None] = lambda _: None,
        *,
        flooding: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`most` is how many connections there may be, and `per_address` how many of one address.

        gRPC may use `descriptors` for its connections, also for a moment between two looks. Clients that have no key in
        `addresses` count for `most` alone. `refused` is called with the name of the limit for each connection that is
        ended, and `flooding` with the key of an address that has very many more than its share.
        """
        self.most = min(most, descriptors)
        self.count: int | None = None
        self._per_address = per_address
        self._descriptors = descriptors
        self._addresses = addresses or ClientAddresses()
        self._refused = refused
        self._flooding = flooding
        # The port, or the path of a unix socket, on which gRPC listens.
        self._listening: int | str = 0
        # The addresses of clients whose connections end at the next look, HOST:PORT.
        self._unwanted: set[str] = set()
        self._is_wanted = threading.Event()
        # How many seconds lie between two looks at least, if a connection is to be ended.
        self._rest = 0.0
        # The descriptions of the open sockets, from the last look. The oldest comes first.
        self._known: dict[OpenSocket, _Connection] = {}
        self._crowded = LastingState(
            _log,
            "new gRPC connections are refused: close idle clients, or raise --max-grpc-connections",
            "new gRPC connections are taken again",
        )

    def most_on_each(self, addresses: int) -> int:
        """Return how many connections gRPC may accept on each of several addresses on which it listens."""
        return max(1, min(self.most, self._descriptors // max(1, addresses)))

    def begin(self, listening: int | str) -> None:
        """Note on which port, or on which unix socket, gRPC listens."""
        self._listening = listening

    def end(self, call: Call) -> None:
        """End the connection of a call soon, if it came over gRPC. Any thread may call this. It returns at once."""
        if call.wire == GRPC and len(self._unwanted) < _MOST_UNWANTED:
            self._unwanted.add(call.peer())
            self._is_wanted.set()

    def wait(self, seconds: float) -> None:
        """Wait before another look, for less time if a connection is to be ended."""
        if self._is_wanted.wait(seconds):
            self._is_wanted.clear()
            time.sleep(self._rest)

    def look(self) -> float:
        """End the connections above the limits, and those that `end` named. Return how many seconds to wait then."""
        began = time.monotonic()
        try:
            self._known = self._found()
        except OSError:
            # The system does not show the descriptors, or allows no more of them now.
            return LOOK_INTERVAL
        unwanted, self._unwanted = self._unwanted, set()
        excess = dict(self._excess())
        excess.update((each, INSISTS) for each, known in self._known.items() if known.peer in unwanted)
        self._note_floods(excess)
        for connection, limit in excess.items():
            # It counts no more, although gRPC needs a moment to close it.
            self._known[connection] = _Connection(is_ours=False)
            if shut_down(connection):
                self._refused(limit)
        self.count = sum(each.is_ours for each in self._known.values())
        self._note_crowd(self.count)
        took = time.monotonic() - began
        self._rest = _QUICK_PARTS * took
        return max(_QUICK_INTERVAL, _QUICK_PARTS * took) if excess else max(LOOK_INTERVAL, _PARTS * took)

    def _found(self) -> dict[OpenSocket, _Connection]:
        """Return all open sockets: those that were known, in their order, and then the new ones."""
        now = set(open_sockets())
        found = {each: connection for each, connection in self._known.items() if each in now}
        for each in sorted(now - found.keys(), key=lambda new: new.inode):
            found[each] = self._identified(both_ends(each))
        return found

    def _identified(self, ends: tuple[Any, Any] | None) -> _Connection:
        if ends is None:
            return _Connection(is_ours=False)
        here, there = ends
        if isinstance(here, tuple) and here[1] == self._listening:
            peer = address_text(*there[:2])
            return _Connection(is_ours=True, key=self._addresses.key(peer), peer=peer)
        return _Connection(is_ours=here == self._listening)

    def _excess(self) -> Iterator[tuple[OpenSocket, str]]:
        """Yield the connections above a limit, with its name."""
        total = 0
        taken: Counter[str] = Counter()
        for each, connection in self._known.items():
            if not connection.is_ours:
                continue
            if connection.key is not None:
                if taken[connection.key] >= self._per_address:
                    yield each, f"{self._per_address:,} connections from one address"
                    continue
                taken[connection.key] += 1
            if total >= self.most:
                yield each, f"{self.most:,} connections"
                continue
            total += 1

    def _note_floods(self, excess: Iterable[OpenSocket]) -> None:
        """Tell of each address of which very many connections are to be ended at once."""
        ended = Counter(key for each in excess if (key := self._known[each].key) is not None)
        for key, count in ended.items():
            if count >= FLOOD:
                self._flooding(key)

    def _note_crowd(self, count: int) -> None:
        if count < self.most:
            self._crowded.worked()
        else:
            self._crowded.refused(f"{self.most:,} connections are open", 0)
