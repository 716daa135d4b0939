"""Small writes that clients have not taken. Nearly every call has one, so no lock is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from functools import partial

CutOff = Callable[[], None]


class SmallWrites:
    """Holds small writes until clients take them, and chooses those to cut off: the oldest first.

    Many threads may use it, because each step is one operation on a dictionary, which is atomic in CPython.
    """

    def __init__(self, most: int | None, youngest: float) -> None:
        """`most` is how many may wait at once; None means any number. Each may always wait for `youngest` seconds."""
        self._most = most
        self._youngest = youngest
        # For each write, by its key: when it began, in monotonic seconds, and the function that cuts it off.
        self._held: dict[Hashable, tuple[float, CutOff]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, key: Hashable, cut_off: CutOff) -> Callable[[], object]:
        """Note a write that begins now, and return a function that notes its end. No two writes share a `key`."""
        self._held[key] = time.monotonic(), cut_off
        return partial(self._held.pop, key, None)

    def take_excess(self, now: float) -> list[CutOff]:
        """Forget the oldest writes beyond the limit, and return the functions that cut them off."""
        most, taken = self._most, list[CutOff]()
        while most is not None and len(self._held) > most:
            try:
                oldest = next(iter(self._held))
                since, cut_off = self._held[oldest]
            except (KeyError, RuntimeError, StopIteration):
                # Another thread has changed the dictionary meanwhile.
                continue
            if now - since < self._youngest:
                break
            if self._held.pop(oldest, None) is not None:
                taken.append(cut_off)
        return taken

    def take_before(self, limit: float) -> list[CutOff]:
        """Forget the writes that began before a time, and return the functions that cut them off."""
        old = [key for key, (since, _) in list(self._held.items()) if since < limit]
        return [found[1] for key in old if (found := self._held.pop(key, None)) is not None]
