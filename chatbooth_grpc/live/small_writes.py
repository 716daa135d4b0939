"""Small writes that clients have not taken. Nearly every call has one, so that they take no lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from functools import partial

CutOff = Callable[[], None]


class SmallWrites:
    """Holds small writes until they are taken, and knows those that are to be cut off: the oldest first.

    Safe to use from many threads: each step is one operation on a dictionary, which the interpreter does at once.
    """

    def __init__(self, most: int | None, youngest: float) -> None:
        """`most`: how many may wait at once; None: any number. `youngest`: seconds that each may wait all the same."""
        self._most = most
        self._youngest = youngest
        # By a key for each write: since when it waits, in monotonic seconds, and what cuts it off.
        self._held: dict[Hashable, tuple[float, CutOff]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, key: Hashable, cut_off: CutOff) -> Callable[[], object]:
        """Note a write that begins now. `key`: any object that no other write has. Return what notes its end."""
        self._held[key] = time.monotonic(), cut_off
        return partial(self._held.pop, key, None)

    def take_excess(self, now: float) -> list[CutOff]:
        """Forget the oldest writes until no more wait than may; return what cuts them off."""
        most, taken = self._most, list[CutOff]()
        while most is not None and len(self._held) > most:
            try:
                oldest = next(iter(self._held))
                since, cut_off = self._held[oldest]
            except (KeyError, RuntimeError, StopIteration):
                # Another thread came between.
                continue
            if now - since < self._youngest:
                break
            if self._held.pop(oldest, None) is not None:
                taken.append(cut_off)
        return taken

    def take_before(self, limit: float) -> list[CutOff]:
        """Forget the writes that began before a time; return what cuts them off."""
        old = [key for key, (since, _) in list(self._held.items()) if since < limit]
        return [found[1] for key in old if (found := self._held.pop(key, None)) is not None]
