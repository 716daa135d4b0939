"""How a server's process manages its memory: set once, before its threads start."""

from __future__ import annotations

import ctypes
import gc

_M_ARENA_MAX = -8  # of glibc's <malloc.h>
_ARENAS = 2
_COLLECT_AFTER = 10_000


def tune_memory() -> None:
    """Keep memory flat however many threads come and go, and searches for garbage rare.

    glibc gives threads heaps of their own, up to eight a core, and each keeps what was once needed at the same time;
    few share well, since the interpreter's lock lets few allocate at once. Python searches for garbage after 700
    objects more than were freed, which a batch of messages on its way makes in no time: what it meets thereby counts as
    long-lived, and soon everything is searched, the objects of ten thousand idle streams too.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # none but glibc's has arenas
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
    _, *older = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *older)
