"""How a server's process manages its memory: tuned at its start, and given back after a burst."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

# The names are those of glibc's <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

# One, since malloc_trim gives back the end of the first arena only. With two, up to three blocks of a log-in stayed.
_ARENAS = 1
_LARGEST_ON_HEAP = 32 << 20
_NEVER = 1 << 30
_COLLECT_AFTER = 10_000

LOOK_INTERVAL = 5.0
"""How often the process looks at how much memory it holds, in seconds."""

WORTH_GIVING_BACK = 8 << 20
"""Growth since the last time, in bytes, from which on it gives memory back."""

_STILL_GROWING = 1 << 20
_BUSY = 0.02
"""The part of one core from which on the process counts as busy."""
_LOOKS_WHILE_BUSY = 12
"""Giving back holds up all that need memory for up to some 30 ms, so a busy process does it once a minute at most."""

_STATM = Path("/proc/self/statm")


def tune_memory() -> None:
    """Keep memory flat however many threads come and go, and searches for garbage rare.

    glibc gives threads heaps of their own, up to eight a core, and each keeps what was once needed at the same time;
    one is enough, since the interpreter's lock lets few allocate at once. Freed blocks of any size stay on the heap for
    the next call: `return_memory` gives them back when a burst is over. Python searches for garbage after 700
    objects more than were freed, which a batch of messages on its way makes in no time: what it meets thereby counts as
    long-lived, and soon everything is searched, the objects of ten thousand idle streams too.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # none but glibc's has arenas
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_ON_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
    _, *older = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *older)


class MemoryReturner:
    """Gives the memory of a burst back to the system, at the latest once the burst is over.

    Hashing a password takes 19 MiB, a batch of messages a megabyte. malloc keeps freed blocks for the next call, and it
    should: taken from the system again and again, a block costs a log-in 40% more. But it keeps them for ever.
    """

    def __init__(
        self,
        held: Callable[[], int],
        give_back: Callable[[], object],
        worked: Callable[[], float] = time.process_time,
    ) -> None:
        """`held` returns how many bytes the process holds, `give_back` returns freed ones to the system.

        `worked` returns how many seconds of processor time the process has used.
        """
        self._held = held
        self._give_back = give_back
        self._worked = worked
        self._kept = 0
        self._last_held = 0
        self._last_worked = 0.0
        self._was_busy = False
        self._looks = 0  # since memory was last given back

    def look(self) -> None:
        """Give memory back if work has ended since the last time, or if much has come and no more is coming."""
        held, worked = self._held(), self._worked()
        is_busy = worked - self._last_worked > _BUSY * LOOK_INTERVAL
        # While there is work, what is given back may leave blocks that are freed a moment later.
        has_ended = self._was_busy and not is_busy
        has_grown = held - self._kept >= WORTH_GIVING_BACK and held - self._last_held < _STILL_GROWING
        self._looks += 1
        if has_ended or (has_grown and (not is_busy or self._looks >= _LOOKS_WHILE_BUSY)):
            self._give_back()
            self._kept = held = self._held()
            self._looks = 0
        self._last_held, self._last_worked, self._was_busy = held, worked, is_busy


def return_memory() -> None:
    """Give memory back from now on, on a thread of its own, where the system has means for it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None or not _STATM.exists():
        return
    returner = MemoryReturner(_resident_size, lambda: trim(0))

    def run() -> None:
        while True:
            time.sleep(LOOK_INTERVAL)
            returner.look()

    threading.Thread(target=run, name="memory-returner", daemon=True).start()


def _resident_size() -> int:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
