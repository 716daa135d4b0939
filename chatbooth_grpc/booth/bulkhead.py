"""A bulkhead: how many may do slow work at once, and how many may wait for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import TooBusy

_LONGEST_WAIT = 60.0


class Bulkhead:
    """Lets a few callers in at once; they work on their own threads."""

    def __init__(self, limit: str, *, working: int, waiting: int) -> None:
        """`limit` names it in the refusal of one caller too many."""
        self._limit = limit
        self._working = threading.Semaphore(working)
        self._admitted = threading.Semaphore(working + waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, until the caller's deadline. Raises TooBusy, DeadlineExceeded."""
        if not self._admitted.acquire(blocking=False):
            raise TooBusy(self._limit)
        try:
            if not self._working.acquire(timeout=time_remaining(_LONGEST_WAIT)):
                time_remaining(_LONGEST_WAIT)  # the caller's own deadline, if it was that
                raise TooBusy(self._limit)
            try:
                yield
            finally:
                self._working.release()
        finally:
            self._admitted.release()
