"""A pipe with which any thread wakes a thread that waits with select, poll or epoll."""

from __future__ import annotations

import os
from contextlib import suppress

_READ_SIZE = 4_096


class Waker:
    """The pipe. The thread that waits registers this object, which has a descriptor."""

    def __init__(self) -> None:
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)

    def fileno(self) -> int:
        """Return the descriptor, which becomes readable when `wake` is called."""
        return self._woken

    def wake(self) -> None:
        """Wake the thread that waits. Any thread may call this. It never blocks."""
        # If the pipe is full, the thread wakes anyway.
        with suppress(BlockingIOError):
            os.write(self._wake, b"x")

    def clear(self) -> None:
        """Make the descriptor unreadable until the next `wake`. Raises BlockingIOError if nobody has called `wake`."""
        os.read(self._woken, _READ_SIZE)

    def close(self) -> None:
        """Close both ends of the pipe. Call this when no thread waits and none calls `wake` any more."""
        os.close(self._wake)
        os.close(self._woken)
