"""Sends in flight, whose outcomes are written in the order in which the sends came.

Each send takes a place when it comes. One thread at a time takes places. Any thread may settle a place with its
outcome, in any order. The thread that settles a place also writes every outcome that is next by then. If another thread
is writing already, it leaves them to that thread. So one thread at a time writes outcomes, and no thread waits for
another.

`_turn` is the right to write. A thread takes it only if it is free. After the thread has given it back, it looks again,
so that no outcome that was settled meanwhile is left. `_lock` guards the taking of places. No thread holds it while it
calls other code.
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

        `write` returns whether the next outcome may be written at once. If not, its owner calls `go_on` later.
        """
        self._most = most
        self._write = write
        # This is a list, because a thread can read a slice of it while another thread removes the first place.
        self._places: list[Place[T]] = []
        self._is_closed = False
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        # It is made when a thread waits for the first time.
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
        """Note an outcome, and write all outcomes that are next by now."""
        place.outcome = outcome
        place.is_settled = True
        places = self._places
        while (first := places[:1]) and first[0].is_settled and self._turn.acquire(blocking=False):
            while (first := places[:1]) and first[0].is_settled:
                if not self._write(first[0].outcome):
                    # The turn lasts until `go_on`.
                    return
                del places[0]
            self._turn.release()
        if self._drained is not None:
            with self._lock:
                self._drained.notify_all()

    def go_on(self) -> None:
        """Write the next outcomes. Call this when the transport is ready again after `write` returned False."""
        del self._places[0]
        self._turn.release()
        for first in self._places[:1]:
            if first.is_settled:
                self.settle(first, first.outcome)

    def wait_until(self, most: int) -> None:
        """Wait until at most `most` sends are in flight. Use it only with a `write` that always returns True."""
        if len(self._places) <= most:
            return
        with self._lock:
            if self._drained is None:
                self._drained = threading.Condition(self._lock)
            while len(self._places) > most:
                self._drained.wait()
