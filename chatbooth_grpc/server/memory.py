"""Tunes the memory of the server's process, and returns it after a burst."""

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

# With one arena, gRPC's threads wait for each other's allocations. 64 Sends in flight then took 6% longer.
_ARENAS = 2
_LARGEST_ON_HEAP = 32 << 20
_NEVER = 1 << 30
_COLLECT_AFTER = 10_000

# malloc_trim does not shorten any arena but the first. glibc shortens another arena when one of its threads frees a
# block of more than 64 KiB, if the free end of the arena is longer than the trim threshold.
_FREED_TO_SHORTEN = 128 << 10
_SHORTEST_END = 128 << 10

LOOK_INTERVAL = 5.0
"""How often the process checks how much memory it holds, in seconds."""

WORTH_GIVING_BACK = 8 << 20
"""The process returns memory when it has grown by at least this many bytes since it last did."""

_STILL_GROWING = 1 << 20
_BUSY = 0.02
"""The process counts as busy when it uses more than this part of one core."""
_LOOKS_WHILE_BUSY = 12
"""A busy process returns memory at most once in this number of checks: once a minute.

Returning memory delays every thread that allocates, by up to about 30 ms.
"""

_STATM = Path("/proc/self/statm")


def tune_memory() -> None:
    """Keep the memory constant while threads come and go, and make garbage collections rare.

    glibc gives threads arenas of their own, up to eight for each core. Each arena keeps all memory that its threads
    once needed at the same time. Few arenas are enough, since the interpreter's lock lets few threads allocate at once.
    Freed blocks of any size stay on the heap for the next call. `return_memory` returns them when a burst is over.

    By default, Python collects garbage when 700 more objects were made than freed. A batch of messages makes as many in
    a moment. The objects that survive a collection count as long-lived. So Python would soon search all objects, also
    those of ten thousand idle streams.
    """
    # Only glibc has mallopt and arenas.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_ON_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
    _, *older = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *older)


class MemoryReturner:
    """Returns the memory of a burst to the system, at the latest when the burst is over.

    Hashing a password takes 19 MiB, and a batch of messages takes a megabyte. malloc keeps freed blocks for the next
    call. That is useful: a log-in costs 40% more if its block is taken from the system each time. But malloc keeps the
    blocks for ever.
    """

    def __init__(
        self,
        held: Callable[[], int],
        give_back: Callable[[], object],
        worked: Callable[[], float] = time.process_time,
    ) -> None:
        """`held` returns how many bytes the process holds. `give_back` returns freed memory to the system.

        `worked` returns how many seconds of processor time the process has used.
        """
        self._held = held
        self._give_back = give_back
        self._worked = worked
        self._kept = 0
        self._last_held = 0
        self._last_worked = 0.0
        self._was_busy = False
        # The number of checks since memory was last returned.
        self._looks = 0

    def look(self) -> None:
        """Return memory if work has ended since the last check, or if memory has grown much and grows no more."""
        held, worked = self._held(), self._worked()
        is_busy = worked - self._last_worked > _BUSY * LOOK_INTERVAL
        # During work, some blocks are freed just after the return, and then stay.
        has_ended = self._was_busy and not is_busy
        has_grown = held - self._kept >= WORTH_GIVING_BACK and held - self._last_held < _STILL_GROWING
        self._looks += 1
        if has_ended or (has_grown and (not is_busy or self._looks >= _LOOKS_WHILE_BUSY)):
            self._give_back()
            self._kept = held = self._held()
            self._looks = 0
        self._last_held, self._last_worked, self._was_busy = held, worked, is_busy


def return_memory() -> None:
    """Start a thread that returns memory from now on, if the system can do that."""
    if not hasattr(ctypes.CDLL(None), "malloc_trim") or not _STATM.exists():
        return
    returner = MemoryReturner(_resident_size, partial(_trim, ctypes.CDLL(None)))

    def run() -> None:
        while True:
            time.sleep(LOOK_INTERVAL)
            returner.look()

    threading.Thread(target=run, name="memory-returner", daemon=True).start()


def _trim(libc: ctypes.CDLL) -> None:
    """Return the free memory of all arenas to the system."""
    libc.mallopt(_M_TRIM_THRESHOLD, _SHORTEST_END)
    # glibc shares the arenas evenly among threads that live at the same time. So each arena gets some of these threads.
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
        # The system allows no more threads. The next return will shorten the arenas.
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
