"""Counts what a server does, without any library: the observer behind the metrics."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

from chatbooth_grpc.booth.actions import ACTIONS, SEND, action_name
from chatbooth_grpc.booth.call_log import Call, is_failed_log_in, outcome_of
from chatbooth_grpc.booth.errors import ChatboothError, RateLimited, TooBusy
from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.booth.observing import Append
from chatbooth_grpc.booth.store import Outcome, StoredSession

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the buckets for durations."""

MESSAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096)
"""The upper bounds of the buckets for the number of messages in a commit."""

UNKNOWN_ACTION = "UNKNOWN"
"""The one label for all actions that this version does not know. Otherwise a client could make any number of labels."""

MOST_LIMITS = 64
OTHER_LIMITS = "others"
"""The most names of limits that have a label of their own. All further names share one label."""

_ACTIONS = frozenset(row.name for row in ACTIONS.values())
_SEND = action_name(SEND)
_MESSAGES_OF = attrgetter("messages")


class Histogram:
    """How many values fell into each bucket, and their sum. The last bucket has no upper bound."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value, perhaps several times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def buckets(self) -> list[tuple[str, int]]:
        """Return each upper bound with the number of values up to it, as Prometheus counts them."""
        names = [*map(repr, map(float, self.bounds)), "+Inf"]
        total = 0
        found = []
        for name, count in zip(names, self.counts, strict=True):
            total += count
            found.append((name, total))
        return found


class Tally:
    """An `Observer` that counts. Many threads may call it, and read it under `lock`.

    Its one lock is a leaf, which a thread holds for a few additions.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        # By wire, action and outcome.
        self.calls: dict[tuple[str, str, str], int] = {}
        # By wire and action.
        self.durations: dict[tuple[str, str], Histogram] = {}
        # By wire.
        self.failed_log_ins: dict[str, int] = {}
        # By the name of the limit.
        self.throttled: dict[str, int] = {}
        self.commits = Histogram(SECONDS)
        self.commit_sizes = Histogram(MESSAGES)
        self.queue_waits = Histogram(SECONDS)
        self.failed_transactions = 0
        self.pushed_messages = 0
        self.delivery_delays = Histogram(SECONDS)

    def call_ended(self, call: Call, error: ChatboothError | None) -> None:
        """Count a call."""
        key = call.wire, call.action
        seconds = time.monotonic() - call.started
        with self.lock:
            durations = self.durations.get(key)
            if durations is None:
                key = call.wire, call.action if call.action in _ACTIONS else UNKNOWN_ACTION
                durations = self.durations.setdefault(key, Histogram(SECONDS))
            # As `Histogram.add` does, without another call.
            durations.counts[bisect_left(SECONDS, seconds)] += 1
            durations.sum += seconds
            outcome = (*key, "OK" if error is None else error.reason)
            self.calls[outcome] = self.calls.get(outcome, 0) + 1
            if error is not None:
                self._count_refusal(call, error)

    def sends_ended(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        """Count messages that came together, each as a call."""
        wire, seconds = call.wire, time.monotonic() - call.started
        refusals = [outcome for outcome in outcomes if isinstance(outcome, ChatboothError)]
        with self.lock:
            self._histogram(wire).add(seconds, len(outcomes))
            self._count_sends(wire, None, len(outcomes) - len(refusals))
            for refusal in refusals:
                self._count_sends(wire, refusal, 1)

    def connection_refused(self, limit: str) -> None:
        """Count a connection that was refused."""
        with self.lock:
            self._count_limit(limit)

    def transaction_ended(self, appends: Sequence[Append], began: float, *, committed: bool) -> None:
        """Count a transaction, its messages and the longest wait for it."""
        seconds = time.monotonic() - began
        with self.lock:
            if not committed:
                self.failed_transactions += 1
                return
            self.commits.counts[bisect_left(SECONDS, seconds)] += 1
            self.commits.sum += seconds
            if appends:
                messages = sum(map(len, map(_MESSAGES_OF, appends)))
                self.commit_sizes.counts[bisect_left(MESSAGES, messages)] += 1
                self.commit_sizes.sum += messages
                # The first one has waited the longest, since the queue keeps the order.
                wait = max(0.0, began - appends[0].queued_time)
                self.queue_waits.counts[bisect_left(SECONDS, wait)] += 1
                self.queue_waits.sum += wait

    def pushed(self, session: StoredSession, messages: Sequence[Message], hinted: float | None) -> None:
        """Count messages that were pushed, and how long after their commit."""
        with self.lock:
            self.pushed_messages += len(messages)
            if hinted is not None:
                seconds = time.monotonic() - hinted
                self.delivery_delays.counts[bisect_left(SECONDS, seconds)] += len(messages)
                self.delivery_delays.sum += seconds * len(messages)

    def acknowledged(self, session: StoredSession, through: int) -> None:
        """Nothing is counted. The store knows how many messages are unacknowledged."""

    # The caller of these holds the lock.

    def _histogram(self, wire: str) -> Histogram:
        return self.durations.setdefault((wire, _SEND), Histogram(SECONDS))

    def _count_sends(self, wire: str, error: ChatboothError | None, count: int) -> None:
        if count:
            key = wire, _SEND, outcome_of(error)
            self.calls[key] = self.calls.get(key, 0) + count
        if isinstance(error, (TooBusy, RateLimited)):
            self._count_limit(error.limit)

    def _count_refusal(self, call: Call, error: ChatboothError) -> None:
        if is_failed_log_in(call.action, error):
            self.failed_log_ins[call.wire] = self.failed_log_ins.get(call.wire, 0) + 1
        elif isinstance(error, (TooBusy, RateLimited)):
            self._count_limit(error.limit)

    def _count_limit(self, limit: str) -> None:
        if limit not in self.throttled and len(self.throttled) >= MOST_LIMITS:
            limit = OTHER_LIMITS
        self.throttled[limit] = self.throttled.get(limit, 0) + 1
