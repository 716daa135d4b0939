"""The store's own time, which goes on evenly while the machine's time of day is set to and fro.

Two kinds of time stand in a store. Messages carry a stamp, the machine's time of day when they were accepted, because
people read it. The use of a session and the hold of a name are dated in store time: microseconds that have passed,
counted on from the day on which the store was first opened. All that ends by age ends by store time.

A running server counts store time on by the steady clock alone. When it starts, store time goes on by the time that it
was off, which only the time of day can tell. Of more than a day nobody knows at once whether the server was off or the
clock is wrong: the time off is a gap, which counts for no age until the server has run for as long, at most a week,
and the time of day has not gone back meanwhile.

The clock remembers which stamps were given when, as spans of store time. So a message's age in store time follows from
its stamp, also if that is of 1960 or of next year. Where a stamp may be of two spans, the younger one counts.

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
"""The time of day may differ by this from what the steady clock makes of it; more begins another span."""

KEEP_INTERVAL = 600 * SECOND
"""How much store time may pass until the store keeps it again. After a crash the time of day tells the rest."""

LONGEST_BELIEVED = DAY
LONGEST_DOUBT = 7 * DAY

MAX_SPANS = 200
"""Beyond these the oldest are merged, which keeps a message longer and never shorter."""

END_OF_TIME = (1 << 63) - 1
_WORTH_A_LINE = 300 * SECOND
# Before this nobody ran chatbooth.
_FIRST_POSSIBLE = 1_735_689_600 * SECOND

_log = logging.getLogger(__name__)

Stamps = list[tuple[int, int]]
"""Ranges of stamps, both ends included."""


class Span(NamedTuple):
    """The stamps from `first` to `last` were given between the store times `start` and `end`."""

    start: int
    end: int
    first: int
    last: int

    @property
    def is_even(self) -> bool:
        """Whether stamps and store time went on together, so that each stamp tells its store time."""
        return self.last - self.first == self.end - self.start

    def since(self, store_time: int) -> tuple[int, int] | None:
        """Return the stamps of a store time and later. The time of day may have been off by JUMP all the while."""
        if self.end < store_time:
            return None
        begins_later = store_time < self.start or not self.is_even
        first = self.first - JUMP if begins_later else self.first + store_time - self.start
        return first, min(self.last + JUMP, END_OF_TIME)


class Gap(NamedTuple):
    """Store time went on by `length` to `end` while no server ran; that is believed from a store time on, or never."""

    end: int
    length: int
    believed_from: int


class History(NamedTuple):
    """What a store keeps of its clock: the newest store time, the spans that have ended and the one that goes on."""

    now: int
    start: int
    offset: int
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(self)

    @classmethod
    def from_json(cls, text: str) -> History:
        """Read it from text."""
        now, start, offset, spans, gaps = json.loads(text)
        return cls(now, start, offset, tuple(Span(*span) for span in spans), tuple(Gap(*gap) for gap in gaps))


class StoreClock:
    """Tells store time and gives stamps. Safe to use from many threads."""

    def __init__(self, wall: Clock, steady: Clock, history: History | None, newest: int = 0) -> None:
        """`history`: what the store kept; None: nothing yet, and `newest` is the latest time that stands in it."""
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        if history is None:
            history = _first_history(wall(), newest)
        self._start, self._offset = history.start, history.offset
        self._spans, self._gaps = list(history.spans), list(history.gaps)
        self._steady_start, self._now_start = steady(), history.now
        self.is_changed = True
        """Whether the store is still to keep what is new; the store resets it."""
        # The store time of the latest stamp.
        self.stamp_time = history.now
        self._go_on(history.now)

    def now(self) -> int:
        """Return the store time."""
        return self._now_start + self._steady() - self._steady_start

    def stamp(self) -> int:
        """Return the time of day for what is accepted now, and remember when it was given."""
        with self._lock:
            self.stamp_time = now = self.now()
            wall = max(0, self._wall())
            if abs(wall - now - self._offset) > JUMP:
                self._refute_gaps(now, wall - now - self._offset)
                self._begin_span(now, now, wall)
            return wall

    def age(self, store_time: int) -> int:
        """Return how much time has passed since a store time, as far as that is known."""
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
        """Return the stamps that may be of something younger than an age in seconds, the newest first."""
        cutoff = self.cutoff(age)
        with self._lock:
            spans = [*self._spans, self._current(self.now())]
        return [stamps for span in reversed(spans) if (stamps := span.since(cutoff))]

    def history(self) -> History:
        """Return what the store is to keep."""
        with self._lock:
            return History(self.now(), self._start, self._offset, tuple(self._spans), tuple(self._gaps))

    def _doubted(self, now: int) -> list[Gap]:
        return [gap for gap in self._gaps if now < gap.believed_from]

    def _current(self, now: int) -> Span:
        """Return the span that goes on."""
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
        """Return the shortest time off that the time of day may tell: it may be right now or have been right before."""
        offsets = [self._offset, *(span.first - span.start for span in self._spans if span.is_even)]
        found = [off for off in (wall - last_now - offset for offset in offsets) if off >= -JUMP]
        return max(0, min(found, default=0))

    def _refute_gaps(self, now: int, jump: int) -> None:
        """Take back what is in doubt at `now`, if the time of day goes back by about as much."""
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
    """Return the history of a store whose times were all written by the time of day."""
    now = wall if wall > _FIRST_POSSIBLE else max(wall, newest)
    # The clock may have been ahead once. It is not known when, so all stamps of the future count as of now.
    past, future = Span(0, now, 0, now), Span(now, now, now + 1, END_OF_TIME)
    return History(now, now, wall - now, (past, future), ())


def _merged(one: Span, other: Span) -> Span:
    return Span(
        min(one.start, other.start), max(one.end, other.end), min(one.first, other.first), max(one.last, other.last)
    )
