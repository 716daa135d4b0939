"""The progress of a long run, as a line of words for a person."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

INTERVAL = 0.25
"""The least time between two renewals of the line, in seconds."""

# The seconds over which speed is measured.
_WINDOW = 10.0


class Progress:
    """Gives `show` words for how many messages are sent, and how fast.

    If there are `total` bytes, the words also say which part of them is done, and how much time is left. `clock` gives
    seconds that only grow.
    """

    def __init__(
        self, show: Callable[[str], None], total: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show = show
        self._total = total
        self._clock = clock
        # The time, the count and the bytes of each line that was shown within the window.
        self._past = deque([(clock(), 0, 0)])
        self._next = 0.0

    def update(self, count: int, done: int) -> None:
        """Note that `count` messages are sent, and `done` bytes of the total are done."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + INTERVAL
        self._past.append((now, count, done))
        while len(self._past) > 2 and self._past[1][0] <= now - _WINDOW:
            self._past.popleft()
        self._show(self._words())

    def _words(self) -> str:
        start, first_count, first_done = self._past[0]
        now, count, done = self._past[-1]
        words = [f"{count:,} sent"]
        if self._total:
            words.append(f"{done / self._total:.0%}")
        if now > start:
            words.append(f"{(count - first_count) / (now - start):,.0f}/s")
        if self._total and done > first_done:
            seconds = (self._total - done) * (now - start) / (done - first_done)
            words.append(f"{_clock_time(seconds)} left")
        return ", ".join(words)


def _clock_time(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
