"""Keeps away, for a while, the addresses of clients that insist although they are refused.

gRPC queues the calls of all clients in one line. A refused call takes about as much of the server's time as one that
succeeds. So a client that goes on would delay all others, and each new connection of it would bring thousands of calls
before a thread could end that connection. So the system itself drops the packets that would open such a connection.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.server.packet_filter import CAN_FILTER, MOST_ADDRESSES

BAN_SECONDS = 30.0
"""For how long a ban lasts. An address that goes on after it gets another one."""

INSISTS = "refused requests from one address"
"""The name of the limit, for the metrics."""

_log = logging.getLogger(__name__)


class Bans:
    """Bans addresses. A thread of its own does the work."""

    def __init__(
        self,
        addresses: ClientAddresses,
        end: Callable[[Call], None],
        drop: Callable[[Collection[str], Collection[int]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`end` ends the connection of a call, and returns at once. `drop` lets no client at some addresses connect to
        some ports.
        """
        self.addresses = addresses
        self._end = end
        self._drop = drop
        self._clock = clock
        # The addresses to ban. Any thread adds to it.
        self._insisting: set[str] = set()
        # Until when each address is banned, the oldest first.
        self._until: dict[str, float] = {}
        self._is_wanted = threading.Event()
        self._is_stopped = False
        self._ports: Collection[int] = ()
        self._thread = threading.Thread(target=self._run, name="bans", daemon=True)

    def start(self, ports: Collection[int]) -> None:
        """Begin to ban addresses from these ports."""
        self._ports = ports
        self._thread.start()

    def stop(self) -> None:
        """Ban no more."""
        self._is_stopped = True
        self._is_wanted.set()
        self._thread.join()

    def insisted(self, call: Call) -> None:
        """End the connection of a call, and ban its address. Any thread may call this. It returns at once."""
        self._end(call)
        key = self.addresses.key(call.peer())
        if key is not None:
            self.ban(key)

    def ban(self, key: str) -> None:
        """Ban an address soon. Any thread may call this. It returns at once."""
        if key not in self._until:
            self._insisting.add(key)
            self._is_wanted.set()

    def renew(self) -> float | None:
        """Begin and end the bans that are due. Return in how many seconds the next ban ends."""
        now = self._clock()
        new, self._insisting = self._insisting, set()
        left = {key: until for key, until in self._until.items() if until > now}
        left.update((key, now + BAN_SECONDS) for key in sorted(new)[: MOST_ADDRESSES - len(left)])
        if left.keys() != self._until.keys():
            self._until = left
            self._put_into_force(new & left.keys())
        return min(self._until.values()) - now if self._until else None

    def _put_into_force(self, new: Collection[str]) -> None:
        try:
            if CAN_FILTER:
                self._drop(self._until, self._ports)
        except OSError as error:
            _log.warning("an address cannot be kept away", extra={"cause": str(error)})
            return
        for key in new:
            _log.warning(
                "an address goes on although it is refused: its new connections are dropped for a while",
                extra={"address": key, "seconds": BAN_SECONDS},
            )

    def _run(self) -> None:
        wait: float | None = None
        while not self._is_stopped:
            self._is_wanted.wait(wait)
            self._is_wanted.clear()
            wait = self.renew()
