"""Token buckets in bounded memory: how often each of many keys may do something."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MOST_KEYS = 16_384
"""How many keys one table remembers."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket holds `burst` tokens, and `count` tokens come back in `seconds`."""

    count: int
    seconds: float
    burst: int


class RateTable:
    """A bucket for each key. Many threads may use it.

    A bucket is one number: the time at which it is full again (the generic cell rate algorithm). A bucket that is full
    needs no entry. If there are too many entries, the table forgets those that are nearest to full. So nobody who has
    used up a bucket gets a new one by using many keys.
    """

    def __init__(
        self,
        rate: Rate,
        *,
        resume: int = 1,
        most: int = MOST_KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A key that is refused is asked to wait until its bucket holds `resume` tokens.

        `most` is how many entries there may be. `clock` gives seconds that only grow.
        """
        self._interval = rate.seconds / rate.count
        # A bucket that is full later than after this time has not one token.
        self._slack = (rate.burst - 1) * self._interval
        self._resume_slack = (rate.burst - min(resume, rate.burst)) * self._interval
        self._most = most
        self._clock = clock
        # When each bucket is full again.
        self._full: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._full)

    def take(self, key: Hashable, tokens: int = 1) -> float:
        """Take tokens from a bucket and return 0. If it holds none, return after how many seconds to try again.

        A bucket may lend tokens: it needs to hold only one. So a batch that is larger than the bucket passes too.
        """
        now = self._clock()
        with self._lock:
            full = self._full.get(key)
            if full is None:
                if len(self._full) >= self._most:
                    self._forget_some(now)
                full = now
            elif full - now > self._slack:
                return full - now - self._resume_slack
            self._full[key] = max(full, now) + tokens * self._interval
        return 0.0

    def give_back(self, key: Hashable, tokens: int = 1) -> None:
        """Put tokens back that were taken."""
        with self._lock:
            if key in self._full:
                self._full[key] -= tokens * self._interval

    def _forget_some(self, now: float) -> None:
        """Forget the buckets that are full. If only a few are, also forget the eighth of them that is nearest to full.

        This looks at all entries, so it must make room for many new ones.
        """
        self._full = {key: full for key, full in self._full.items() if full > now}
        excess = len(self._full) - self._most + self._most // 8 + 1
        if excess > 0:
            for key in heapq.nsmallest(excess, self._full, key=self._full.__getitem__):
                del self._full[key]
