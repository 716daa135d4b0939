"""A bulkhead limits how many callers do one kind of slow work at once, and how many wait."""

from __future__ import annotations

import threading
from types import TracebackType

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import TooBusy

_LONGEST_WAIT = 60.0


class Bulkhead:
    """Lets a few callers in at once. Many threads may use it.

    A caller that works on its own thread does so inside a `with` block, which waits for a turn. A caller whose work is
    done by a pool of threads is only counted, from `enter` to `leave`: the pool's size bounds how many work at once.
    """

    def __init__(self, limit: str, *, working: int, waiting: int | None = None) -> None:
        """`limit` is its name in a refusal. If `waiting` is None, any number may wait, for any time."""
        self.limit = limit
        self._working = threading.Semaphore(working)
        self._most = None if waiting is None else working + waiting
        # How many callers work or wait. It stays 0 if any number may wait.
        self._inside = 0
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether another caller would be refused."""
        return self._most is not None and self._inside >= self._most

    def enter(self) -> None:
        """Count a caller. Check `is_full` first."""
        with self._lock:
            self._inside += 1

    def leave(self) -> None:
        """Count a caller no more."""
        with self._lock:
            self._inside -= 1

    def __enter__(self) -> None:
        """Wait for a turn, until the caller's deadline. Raises TooBusy, DeadlineExceeded."""
        if self._most is None:
            self._working.acquire()
            return
        with self._lock:
            if self.is_full:
                raise TooBusy(self.limit)
            self._inside += 1
        try:
            self._wait_for_turn()
        except BaseException:
            self.leave()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the turn."""
        self._working.release()
        if self._most is not None:
            self.leave()

    def _wait_for_turn(self) -> None:
        if not self._working.acquire(timeout=time_remaining(_LONGEST_WAIT)):
            # Raises DeadlineExceeded if the caller's own deadline has ended the wait.
            time_remaining(_LONGEST_WAIT)
            raise TooBusy(self.limit)
