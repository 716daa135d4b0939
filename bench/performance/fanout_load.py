"""A load of one sender and very many live streams of one mailbox, which counts pushes."""

from __future__ import annotations

import selectors
import time

from bench.performance.listening import GrpcListener, Listener, WireListener
from bench.performance.outcome import Duration, Outcome, Tally
from bench.performance.pairs_load import Couple
from bench.performance.senders import Sender, UnarySender, WireSender
from bench.performance.sockets import is_wire

# This is for gRPC. The wire has one stream for each connection.
_STREAMS_PER_CONNECTION = 20
_ACKNOWLEDGE_AFTER = 64
_MESSAGES = 20_000


class _Fanout:
    """A sender that keeps `ahead` messages in flight, and the number of listeners that each has not reached yet."""

    def __init__(self, sender: Sender, listeners: list[Listener], streams: int, ahead: int) -> None:
        self._sender = sender
        self._acknowledging = listeners[0]
        self._streams = streams
        self._ahead = ahead
        self._left: dict[int, int] = {}
        self._began: dict[int, float] = {}
        self._sent = self._reached_all = 0

    @property
    def is_done(self) -> bool:
        """Whether each message has reached each listener."""
        return not self._left

    @property
    def is_exhausted(self) -> bool:
        """Whether the sender has no message left."""
        return self._sent == _MESSAGES

    def send(self) -> None:
        """Send as many messages as may be in flight."""
        while len(self._left) < self._ahead and not self.is_exhausted:
            self._sent += 1
            self._left[self._sent], self._began[self._sent] = self._streams, time.perf_counter()
            self._sender.send()

    def arrived(self, sequences: list[int]) -> list[float]:
        """Note the messages that arrived at a listener. Return the latencies of those that all listeners have now."""
        latencies = []
        for sequence in sequences:
            self._left[sequence] -= 1
            if not self._left[sequence]:
                del self._left[sequence]
                latencies.append(time.perf_counter() - self._began.pop(sequence))
                self._reached_all += 1
                if self._reached_all % _ACKNOWLEDGE_AFTER == 0:
                    self._acknowledging.acknowledge(sequence)
        return latencies


def fanout_load(
    address: str, server_pid: int, duration: Duration, *, couple: Couple, streams: int, ahead: int
) -> Outcome:
    """Count the messages that all streams receive. A latency lasts until the last stream has the message."""
    sender, listeners = _opened(address, couple, streams)
    selector = selectors.DefaultSelector()
    selector.register(sender, selectors.EVENT_READ)
    for listener in listeners:
        selector.register(listener, selectors.EVENT_READ, listener)
    fanout = _Fanout(sender, listeners, streams, ahead)
    tally = Tally(server_pid, duration)
    fanout.send()
    while not tally.is_over() and not fanout.is_exhausted:
        for key, _ in selector.select():
            if key.data is None:
                sender.receive()
                continue
            sequences = key.data.receive()
            tally.count += len(sequences)
            tally.latencies += fanout.arrived(sequences)
        fanout.send()
    outcome = tally.finish()
    while not fanout.is_done:
        for key, _ in selector.select():
            if key.data is None:
                sender.receive()
            else:
                fanout.arrived(key.data.receive())
    return outcome


def _opened(address: str, couple: Couple, streams: int) -> tuple[Sender, list[Listener]]:
    listeners: list[Listener] = []
    if is_wire(address):
        listeners += [WireListener(address, couple.recipient) for _ in range(streams)]
        return WireSender(address, couple.sender, couple.name, _MESSAGES), listeners
    for start in range(0, streams, _STREAMS_PER_CONNECTION):
        count = min(_STREAMS_PER_CONNECTION, streams - start)
        listeners.append(GrpcListener(address, *[couple.recipient] * count))
    return UnarySender(address, couple.sender, couple.name, _MESSAGES), listeners
