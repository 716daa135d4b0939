"""How a server's process manages its memory: tuned at its start, and given back after a burst."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

# The names are those of glibc's <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

# With one arena, gRPC's threads wait for each other's allocations: 64 Sends in flight took 6% longer.
_ARENAS = 2
_LARGEST_ON_HEAP = 32 << 20
_NEVER = 1 << 30
_COLLECT_AFTER = 10_000

# malloc_trim leaves the end of every arena but the first. glibc shortens that when a thread of the arena frees a block
# of more than 64 KiB, provided that the end is longer than the trim threshold.
_FREED_TO_SHORTEN = 128 << 10
_SHORTEST_END = 128 << 10

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

    glibc gives threads arenas of their own, up to eight a core, and each keeps what was once needed at the same time.
    Few are enough, since the interpreter's lock lets few threads allocate at once. Freed blocks of any size stay on
    the heap for the next call: `return_memory` gives them back when a burst is over.

    Python searches for garbage after 700 objects more than were freed, which a batch of messages on its way makes in
    no time. What it meets thereby counts as long-lived, and soon Python searches everything, the objects of ten
    thousand idle streams too.
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
    if not hasattr(ctypes.CDLL(None), "malloc_trim") or not _STATM.exists():
        return
    returner = MemoryReturner(_resident_size, partial(_trim, ctypes.CDLL(None)))

    def run() -> None:
        while True:
            time.sleep(LOOK_INTERVAL)
            returner.look()

    threading.Thread(target=run, name="memory-returner", daemon=True).start()


def _trim(libc: ctypes.CDLL) -> None:
    """Give the free memory of all arenas back to the system."""
    libc.mallopt(_M_TRIM_THRESHOLD, _SHORTEST_END)
    # Threads that live at the same time share the arenas evenly, so that each arena gets some of these.
    together = threading.Barrier(2 * _ARENAS)
    threads = [
        threading.Thread(target=_shorten_arena, args=(together,), name="arena-shortener", daemon=True)
        for _ in range(2 * _ARENAS)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except RuntimeError:
        # The system allows no more threads. The next time will do.
        together.abort()
    libc.malloc_trim(0)
    libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)


def _shorten_arena(together: threading.Barrier) -> None:
    """Free a block of this thread's arena, so that glibc shortens the arena."""
    with suppress(threading.BrokenBarrierError):
        together.wait()
        bytearray(_FREED_TO_SHORTEN)
        together.wait()


def _resident_size() -> int:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
