"""A lock that the processes of one machine share: a file that names its holder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Seconds between two tries.
_POLL = 0.05
_LONGEST_HOLDER = 200

OnWait = Callable[[str], None]
"""Called once with the holder's words when the lock is not free. It may raise, to give up."""


@contextmanager
def file_lock(
    path: Path,
    wait: float = 0.0,
    *,
    holder: str = "",
    on_wait: OnWait | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[bool]:
    """Hold the lock of a file, which is made if it is absent. Give False if it is not free within `wait` seconds.

    `holder` tells other processes who holds the lock. The system frees the lock when its process ends. Raises OSError
    if the file cannot be opened.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        is_ours = _try_lock(lock)
        if not is_ours and on_wait is not None:
            on_wait(_holder_of(lock))
        end = clock() + wait
        while not is_ours and clock() < end:
            time.sleep(_POLL)
            is_ours = _try_lock(lock)
        if is_ours:
            _note_holder(lock, holder)
        yield is_ours
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note_holder(lock: int, holder: str) -> None:
    # The lock works without the words too, for example on a full disk.
    with suppress(OSError):
        os.ftruncate(lock, 0)
        os.pwrite(lock, holder.encode(), 0)


def _holder_of(lock: int) -> str:
    return os.pread(lock, _LONGEST_HOLDER, 0).decode(errors="replace")
