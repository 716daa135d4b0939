"""Sends in flight, whose outcomes are written in the order in which the sends came.

A send takes a place in a queue when it comes, and one thread at a time makes places. Later, any thread settles the
place: it notes the outcome of the send, in whatever order the sends end. An outcome is written when it is first in the
queue. The thread that settles a place also writes all outcomes that are first by then, one after another. If another
thread is writing already, it leaves them to that thread. So only one thread writes at any time, and no thread waits for
another.

`_turn` is the right to write. A thread takes it only if it is free. A thread that has released it looks at the queue
once more. Another thread may have settled the first place just before the release, and has then left the outcome to
this thread. `_lock` guards the making of places. No thread holds it while it calls other code.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Place(Generic[T]):
    """The place of a send, or of the end that follows the last one."""

    is_settled = False
    outcome: T


class OrderedSends(Generic[T]):
    """The sends of one connection or one stream."""

    __slots__ = ("_drained", "_is_closed", "_lock", "_most", "_places", "_turn", "_write")

    def __init__(self, most: int, write: Callable[[T], bool]) -> None:
        """At most `most` sends are in flight. `write` writes an outcome. It must neither block nor raise an error.

        `write` returns whether the next outcome may be written at once. If not, its owner calls `write_next` later.
        """
        self._most = most
        self._write = write
        # The first place is the next to be written. Another thread may remove it at any moment, so `_places[0]` could
        # fail. The slice `_places[:1]` never fails: it is a list of the first place, or an empty list.
        self._places: list[Place[T]] = []
        self._is_closed = False
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        # Tells the threads in `wait_until` that outcomes were written. The first of them makes it.
        self._drained: threading.Condition | None = None

    def __len__(self) -> int:
        return len(self._places)

    @property
    def has_room(self) -> bool:
        """Whether another send may begin."""
        return not self._is_closed and len(self._places) < self._most

    @property
    def is_closed(self) -> bool:
        """Whether no further send may begin."""
        return self._is_closed

    def begin(self, *, is_last: bool = False) -> Place[T] | None:
        """Take the next place. None means that there is no room, or that no further send may begin.

        The place with `is_last` needs no room, and no send may begin after it.
        """
        with self._lock:
            if self._is_closed or (len(self._places) >= self._most and not is_last):
                return None
            self._is_closed = is_last
            place: Place[T] = Place()
            self._places.append(place)
            return place

    def withdraw(self, place: Place[T]) -> None:
        """Give back a place that was just taken and will not be settled."""
        self._places.remove(place)

    def close(self) -> None:
        """Let no further send begin."""
        with self._lock:
            self._is_closed = True

    def settle(self, place: Place[T], outcome: T) -> None:
        """Note the outcome of a place. Write the outcomes that are first in the queue, until one is not settled."""
        # The order matters: another thread reads the outcome as soon as `is_settled` is true.
        place.outcome = outcome
        place.is_settled = True
        # Every Send over the wire runs this, so the loops call no other method of this class.
        places = self._places
        while (first := places[:1]) and first[0].is_settled and self._turn.acquire(blocking=False):
            # This thread has the turn now, so no other thread removes a place.
            while (first := places[:1]) and first[0].is_settled:
                if not self._write(first[0].outcome):
                    # This keeps the turn, so that nobody writes before `write_next` releases it.
                    return
                del places[0]
            self._turn.release()
        if self._drained is not None:
            with self._lock:
                self._drained.notify_all()

    def write_next(self) -> None:
        """Write the next outcomes. Call this when the transport is ready again after `write` returned False."""
        # The outcome of this place is the one that the transport has just taken.
        del self._places[0]
        self._turn.release()
        first = self._places[:1]
        if first and first[0].is_settled:
            # Settling the place once more writes its outcome, and those that follow.
            self.settle(first[0], first[0].outcome)

    def wait_until(self, most: int) -> None:
        """Wait until at most `most` sends are in flight. Use it only with a `write` that always returns True."""
        if len(self._places) <= most:
            return
        with self._lock:
            if self._drained is None:
                self._drained = threading.Condition(self._lock)
            while len(self._places) > most:
                self._drained.wait()
