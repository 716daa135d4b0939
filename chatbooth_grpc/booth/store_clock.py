"""The store's own time, which goes on steadily when somebody sets the machine's clock.

A store has two kinds of time. A message has a stamp: the machine's time of day when the server accepted it, because
people read it. The use of a session and the hold of a name are dated in store time: the microseconds that have passed,
counted from the day on which the store was first opened. Everything that ends by age ends by store time.

While a server runs, the steady clock alone moves store time. When a server starts, store time moves by the time that
the server was off, which only the time of day can tell. If that is more than a day, the clock cannot know at once
whether the server was off or the time of day is wrong. So the time off is a gap. It counts for no age until the server
has run for as long, or for a week, and the time of day has not gone back meanwhile.

The clock remembers, as spans of store time, when it gave which stamps. So the age of a message in store time follows
from its stamp, even if the stamp is from 1960 or from next year. If a stamp may be from two spans, the younger one
counts.

All times are in microseconds.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import NamedTuple

from chatbooth_grpc.booth.clock import Clock

SECOND = 1_000_000
DAY = 86_400 * SECOND

JUMP = 10 * SECOND
"""How far the time of day may be from the time by the steady clock. If it is further, a new span begins."""

KEEP_INTERVAL = 600 * SECOND
"""How much store time may pass before the store keeps it again. After a crash, the time of day tells the rest."""

LONGEST_BELIEVED = DAY
LONGEST_DOUBT = 7 * DAY

MAX_SPANS = 200
"""If there are more, the oldest are merged. That keeps a message longer, and never shorter."""

END_OF_TIME = (1 << 63) - 1
_WORTH_A_LINE = 300 * SECOND
# Before this nobody ran chatbooth.
_FIRST_POSSIBLE = 1_735_689_600 * SECOND

_log = logging.getLogger(__name__)

Stamps = list[tuple[int, int]]
"""Ranges of stamps, both ends included."""


class Span(NamedTuple):
    """The clock gave the stamps from `first` to `last` between the store times `start` and `end`."""

    start: int
    end: int
    first: int
    last: int

    @property
    def is_even(self) -> bool:
        """Whether stamps and store time moved alike, so that a store time follows from each stamp."""
        return self.last - self.first == self.end - self.start

    def since(self, store_time: int) -> tuple[int, int] | None:
        """Return the stamps of a store time and later, even if the time of day was wrong by JUMP all the time."""
        if self.end < store_time:
            return None
        begins_later = store_time < self.start or not self.is_even
        first = self.first - JUMP if begins_later else self.first + store_time - self.start
        return first, min(self.last + JUMP, END_OF_TIME)


class Gap(NamedTuple):
    """While no server ran, store time moved by `length`, to `end`. From `believed_from` on, that time counts."""

    end: int
    length: int
    believed_from: int


class History(NamedTuple):
    """The state of a clock that a store keeps: the store time, the spans that have ended and the current one."""

    now: int
    start: int
    offset: int
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]

    def to_json(self) -> str:
        """Return the history as text."""
        return json.dumps(self)

    @classmethod
    def from_json(cls, text: str) -> History:
        """Return the history that a text holds."""
        now, start, offset, spans, gaps = json.loads(text)
        return cls(now, start, offset, tuple(Span(*span) for span in spans), tuple(Gap(*gap) for gap in gaps))


class StoreClock:
    """Returns the store time and gives stamps. Many threads may use it."""

    def __init__(self, wall: Clock, steady: Clock, history: History | None, newest: int = 0) -> None:
        """`history` is the one that the store kept. If it is None, `newest` is the latest time in the store."""
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        if history is None:
            history = _first_history(wall(), newest)
        self._start, self._offset = history.start, history.offset
        self._spans, self._gaps = list(history.spans), list(history.gaps)
        self._steady_start, self._now_start = steady(), history.now
        self.is_changed = True
        """Whether the store must keep a new history. The store resets this."""
        # The store time of the latest stamp.
        self.stamp_time = history.now
        self._go_on(history.now)

    def now(self) -> int:
        """Return the store time."""
        return self._now_start + self._steady() - self._steady_start

    def stamp(self) -> int:
        """Return the time of day for a message that is accepted now, and remember when this stamp was given."""
        with self._lock:
            self.stamp_time = now = self.now()
            wall = max(0, self._wall())
            if abs(wall - now - self._offset) > JUMP:
                self._refute_gaps(now, wall - now - self._offset)
                self._begin_span(now, now, wall)
            return wall

    def age(self, store_time: int) -> int:
        """Return how much time has passed since a store time. Gaps that are in doubt do not count."""
        now = self.now()
        return now - store_time - sum(gap.length for gap in self._doubted(now) if gap.end > store_time)

    def cutoff(self, age: float) -> int:
        """Return the store time that has an age, in seconds."""
        now = self.now()
        found = now - round(age * SECOND)
        for gap in sorted(self._doubted(now), reverse=True):
            if gap.end > found:
                found -= gap.length
        return found

    def younger_than(self, age: float) -> Stamps:
        """Return the stamps that messages younger than `age` seconds may have, the newest first."""
        cutoff = self.cutoff(age)
        with self._lock:
            spans = [*self._spans, self._current(self.now())]
        return [stamps for span in reversed(spans) if (stamps := span.since(cutoff))]

    def history(self) -> History:
        """Return the history for the store to keep."""
        with self._lock:
            return History(self.now(), self._start, self._offset, tuple(self._spans), tuple(self._gaps))

    def _doubted(self, now: int) -> list[Gap]:
        return [gap for gap in self._gaps if now < gap.believed_from]

    def _current(self, now: int) -> Span:
        """Return the current span, up to now."""
        return Span(self._start, now, self._start + self._offset, now + self._offset)

    def _go_on(self, last_now: int) -> None:
        """Go on from the store time at which a server last ran."""
        wall = self._wall()
        off = self._time_off(last_now, wall)
        self._now_start = now = last_now + off
        if abs(wall - now - self._offset) > JUMP:
            self._refute_gaps(last_now, wall - now - self._offset)
            # After a crash, stamps may have been given that were later than what was kept.
            self._begin_span(last_now + KEEP_INTERVAL, now, wall)
        if off > LONGEST_BELIEVED:
            self._gaps.append(Gap(now, off, now + min(off, LONGEST_DOUBT)))
            _log.warning(
                "the server was off for long or its clock is wrong: that time does not count until the server is sure",
                extra={"off_days": round(off / DAY, 1), "sure_after_days": round(min(off, LONGEST_DOUBT) / DAY, 1)},
            )

    def _time_off(self, last_now: int, wall: int) -> int:
        """Return the shortest time that the server may have been off, by the time of day.

        The time of day may be right now, or it may have been right in any earlier span.
        """
        offsets = [self._offset, *(span.first - span.start for span in self._spans if span.is_even)]
        found = [off for off in (wall - last_now - offset for offset in offsets) if off >= -JUMP]
        return max(0, min(found, default=0))

    def _refute_gaps(self, now: int, jump: int) -> None:
        """Never believe a gap that is in doubt at `now`, if the time of day goes back by about the gap's length."""
        refuted = [gap for gap in self._doubted(now) if -jump >= gap.length // 2]
        self._gaps = [gap._replace(believed_from=END_OF_TIME) if gap in refuted else gap for gap in self._gaps]

    def _begin_span(self, ended: int, now: int, wall: int) -> None:
        """End the span at the store time `ended`, and begin one in which the time of day is `wall` at `now`."""
        jump = wall - now - self._offset
        self._spans.append(self._current(ended))
        if len(self._spans) > MAX_SPANS:
            oldest, *merged = self._spans[:3]
            self._spans[:3] = [oldest, _merged(*merged)]
        self._start, self._offset = now, wall - now
        self.is_changed = True
        if abs(jump) > _WORTH_A_LINE:
            _log.warning("the machine's clock was set: nothing expires for that", extra={"seconds": jump // SECOND})


def _first_history(wall: int, newest: int) -> History:
    """Return the history of a store whose times are all times of day."""
    now = wall if wall > _FIRST_POSSIBLE else max(wall, newest)
    # The clock may have been ahead once, and nobody knows when. So all stamps of the future count as of now.
    past, future = Span(0, now, 0, now), Span(now, now, now + 1, END_OF_TIME)
    return History(now, now, wall - now, (past, future), ())


def _merged(one: Span, other: Span) -> Span:
    return Span(
        min(one.start, other.start), max(one.end, other.end), min(one.first, other.first), max(one.last, other.last)
    )
