"""Token buckets in bounded memory: how often each of many keys may do something."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MOST_KEYS = 8_192
"""How many keys one table remembers. Seven full tables of a server take about six MiB."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket holds `burst` tokens, and `count` tokens come back in `seconds`."""

    count: int
    seconds: float
    burst: int


class RateTable:
    """A bucket for each key. Many threads may use it.

    A bucket is one number: the time at which it is full again (the generic cell rate algorithm). Each token that is
    taken moves this time by one interval. A bucket lacks as many tokens as there are intervals until this time.

    A bucket that is full needs no entry. If there are too many entries, the table forgets those that are nearest to
    full. So nobody who has used up a bucket gets a new one by using many keys.
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
        # In how many seconds one token comes back.
        self._interval = rate.seconds / rate.count
        # How many seconds a bucket of one token, and one of `resume` tokens, needs until it is full.
        self._from_one_to_full = (rate.burst - 1) * self._interval
        self._from_resume_to_full = (rate.burst - min(resume, rate.burst)) * self._interval
        self._most = most
        self._clock = clock
        # When each bucket is full again. A time that has passed means that it is full.
        self._full_at: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, tokens: int = 1) -> float:
        """Take tokens from a bucket and return 0. If it holds none, return after how many seconds to try again.

        A bucket that holds one token gives any number, and then owes those that it did not hold. So a batch that is
        larger than the bucket passes too.
        """
        now = self._clock()
        with self._lock:
            full_at = self._full_at.get(key)
            if full_at is None:
                if len(self._full_at) >= self._most:
                    self._forget_some(now)
                full_at = now
            elif full_at - now > self._from_one_to_full:
                # The bucket holds less than one token.
                return full_at - now - self._from_resume_to_full
            self._full_at[key] = max(full_at, now) + tokens * self._interval
        return 0.0

    def give_back(self, key: Hashable, tokens: int = 1) -> None:
        """Put tokens back that were taken."""
        with self._lock:
            if key in self._full_at:
                self._full_at[key] -= tokens * self._interval

    def _forget_some(self, now: float) -> None:
        """Forget the buckets that are full, then those that are nearest to full, until an eighth of the table is free.

        This looks at all entries, so it makes room for many new ones at once.
        """
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        excess = len(self._full_at) - self._most + self._most // 8 + 1
        if excess > 0:
            for key in heapq.nsmallest(excess, self._full_at, key=self._full_at.__getitem__):
                del self._full_at[key]
