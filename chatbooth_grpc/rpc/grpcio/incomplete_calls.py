"""Ends calls whose request does not come, and an address's calls above its share of those."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Protocol

from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, TooBusy

_log = logging.getLogger(__name__)

REQUEST_LIMIT = 10.0
"""How long a call's request may take to arrive after its headers, in seconds."""


class IncompleteCall(Hashable, Protocol):
    """A call whose request has not come."""

    def peer(self) -> str:
        """Return the client's address, as gRPC writes it."""

    def end(self, error: ChatboothError) -> None:
        """End the call with an error. It does nothing if the request has come, or the call is over."""


class IncompleteCalls:
    """The calls of one server whose requests have not come. Many threads may use it.

    Nearly all requests come at once. So the address of a call is looked up only when there are many such calls.
    """

    def __init__(
        self, per_address: int, key_of: Callable[[str], Hashable], gone: Callable[[str], None] = lambda _: None
    ) -> None:
        """One address may have `per_address` such calls, and for a moment half as many again.

        `key_of` finds the key of an address that gRPC wrote. None means that it has no limit. `gone` is called with the
        address of each call that ends before its request can be taken, so that such calls can be counted. The address
        is empty if gRPC has forgotten it already.
        """
        self.gone = gone
        self._per_address = per_address
        self._key_of = key_of
        # Since when each call has waited for its request, in monotonic seconds. The oldest comes first. Every Send
        # enters and leaves this, so it does both itself, without a Python call.
        self.calls: dict[IncompleteCall, float] = {}
        # When there are so many calls, `end_excess` is due.
        self.next_check = per_address + 1
        # The keys of addresses that are known already.
        self._addresses: dict[IncompleteCall, Hashable] = {}

    def add(self, call: IncompleteCall) -> None:
        """Note a call. This may end other calls, or this one."""
        self.calls[call] = time.monotonic()
        if len(self.calls) >= self.next_check:
            self.end_excess()

    def end_late(self) -> None:
        """End the calls that are overdue or above a share. Call this about once a second."""
        oldest = time.monotonic() - REQUEST_LIMIT
        for call, since in list(self.calls.items()):
            if since < oldest:
                call.end(DeadlineExceeded())
        self.end_excess()

    def end_excess(self) -> None:
        """End the newest calls of each address above its share."""
        try:
            self._end_excess()
        # A bug must not end the one thread that serves all calls.
        except Exception:  # noqa: BLE001
            _log.exception("calls without a request were not limited")

    def _end_excess(self) -> None:
        calls = list(self.calls) if len(self.calls) > self._per_address else []
        known = self._addresses
        self._addresses = {call: known[call] if call in known else self._key_of(call.peer()) for call in calls}
        taken: Counter[Hashable] = Counter()
        for call, address in self._addresses.items():
            taken[address] += 1
            if address is not None and taken[address] > self._per_address:
                call.end(TooBusy(f"{self._per_address:,} calls from one address whose requests have not come"))
        # To look at all calls takes time, so the next look waits until there are more.
        self.next_check = max(len(calls), self._per_address) + 1 + self._per_address // 2
