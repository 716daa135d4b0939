"""Pairs in a closed loop: a sender waits for the reply, and until the listener has it."""

from __future__ import annotations

import heapq
import itertools
import random
import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.performance.listening import GrpcListener, Listener, WireListener
from bench.performance.outcome import Duration, Outcome, Tally
from bench.performance.senders import (
    Sender,
    SendManySender,
    SocketEchoSender,
    StreamEchoSender,
    UnarySender,
    WireSender,
)

_SENDERS: dict[str, Callable[[str, bytes, str, int], Sender]] = {
    "wire": WireSender,
    "unary": UnarySender,
    "SendMany": SendManySender,
    "stream echo": StreamEchoSender,
    "socket echo": SocketEchoSender,
}
_LISTENERS: dict[str, Callable[[str, bytes], Listener]] = {
    "wire": WireListener,
    "unary": GrpcListener,
    "SendMany": GrpcListener,
}
_ACKNOWLEDGE_AFTER = 100


@dataclass(frozen=True)
class Couple:
    """A sender and a recipient: the sender's token, and the recipient's token and name."""

    sender: bytes
    recipient: bytes
    name: str


class _Pair:
    """One sender and its listener. An echo is its own listener."""

    def __init__(self, sender: Sender, listener: Listener | None, acknowledges_at: int) -> None:
        """The listener acknowledges after one of every _ACKNOWLEDGE_AFTER messages: number `acknowledges_at`."""
        self.sender = sender
        self._acknowledges_at = acknowledges_at
        self.listener = listener
        self.sent = self._answered = self._arrived = 0
        self._began = self._latency = 0.0

    def send(self) -> None:
        self.sent += 1
        self._began = time.perf_counter()
        self.sender.send()

    @property
    def is_done(self) -> bool:
        """Whether each message was answered and has arrived."""
        return self._answered == self._arrived == self.sent

    def receive(self, *, from_listener: bool) -> float | None:
        """Read the bytes that have come. Return the time that the message took to arrive, if it was answered too."""
        if from_listener:
            assert self.listener is not None  # noqa: S101  # it was registered
            if not (arrived := len(self.listener.receive())):
                return None
            self._arrived += arrived
            self._latency = time.perf_counter() - self._began
            if self._arrived % _ACKNOWLEDGE_AFTER == self._acknowledges_at:
                self.listener.acknowledge(self._arrived)
        else:
            self._answered += self.sender.receive()
            if self.listener is None:
                self._arrived, self._latency = self._answered, time.perf_counter() - self._began
        return self._latency if self.is_done else None


def pairs_load(
    address: str,
    server_pid: int,
    duration: Duration,
    *,
    kind: str,
    couples: Sequence[Couple],
    messages: int,
    rate: float | None = None,
) -> Outcome:
    """Run pairs for a time, each with its share of `messages`. A latency lasts until the listener has the message.

    `kind` is one of `_SENDERS`. `rate` is the most messages a second in all, spread evenly over the pairs.
    """
    share = messages // len(couples)
    pairs = [
        _Pair(
            _SENDERS[kind](address, couple.sender, couple.name, share),
            _LISTENERS[kind](address, couple.recipient) if kind in _LISTENERS else None,
            # The listeners acknowledge at different times.
            number % _ACKNOWLEDGE_AFTER,
        )
        for number, couple in enumerate(couples)
    ]
    selector = selectors.DefaultSelector()
    for pair in pairs:
        selector.register(pair.sender, selectors.EVENT_READ, (pair, False))
        if pair.listener is not None:
            selector.register(pair.listener, selectors.EVENT_READ, (pair, True))
    tally = Tally(server_pid, duration)
    pace = _Pace(pairs, rate)
    pace.send_due()
    while not tally.is_over() and all(pair.sent < share for pair in pairs):
        for key, _ in selector.select(pace.seconds_to_next()):
            pair, from_listener = key.data
            latency = pair.receive(from_listener=from_listener)
            if latency is not None:
                tally.add([latency])
                pace.add(pair)
        pace.send_due()
    outcome = tally.finish()
    while not all(pair.is_done for pair in pairs):
        for key, _ in selector.select():
            pair, from_listener = key.data
            pair.receive(from_listener=from_listener)
    return outcome


class _Pace:
    """When each pair may send again: at once, or at its next turn. The turns are spread by chance."""

    def __init__(self, pairs: Sequence[_Pair], rate: float | None) -> None:
        now = time.perf_counter()
        self._interval = len(pairs) / rate if rate else 0.0
        chance = random.Random(1)  # noqa: S311  # the same each time
        # With these, the heap never compares two pairs.
        self._numbers = itertools.count()
        self._turn = {pair: now + chance.random() * self._interval for pair in pairs}
        self._due: list[tuple[float, int, _Pair]] = []
        for pair in pairs:
            self.add(pair)

    def add(self, pair: _Pair) -> None:
        """Let a pair send at its next turn."""
        heapq.heappush(self._due, (self._turn[pair], next(self._numbers), pair))

    def send_due(self) -> None:
        """Let every pair whose turn has come send."""
        now = time.perf_counter()
        while self._due and self._due[0][0] <= now:
            pair = heapq.heappop(self._due)[2]
            self._turn[pair] = max(now, self._turn[pair] + self._interval)
            pair.send()

    def seconds_to_next(self) -> float | None:
        """Return how long to wait for the next turn. None means that there is none."""
        return max(0.0, self._due[0][0] - time.perf_counter()) if self._due else None
