"""Writes lines to a descriptor without waiting, even if nobody reads them."""

from __future__ import annotations

import math
import os
import select
import time

_PATIENCE = 0.1
"""Seconds that a line waits for a reader. After that it is lost."""

_NO_PATIENCE = 10.0
"""After a line has waited in vain, no other line waits during this number of seconds.

Otherwise a slow reader would delay every line.
"""

_PIECE = select.PIPE_BUF
"""A writable pipe takes this number of bytes without blocking."""


class LogStream:
    """Writes whole lines, for one caller at a time."""

    def __init__(self, descriptor: int, patience: float = _PATIENCE) -> None:
        self._descriptor = _that_does_not_block(descriptor)
        self._patience = patience
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)
        self._stuck_time = -math.inf
        # The unwritten rest of a line whose beginning is written. It is written before any other line.
        self._rest = b""

    def write(self, line: str) -> bool:
        """Write a line. Return whether the descriptor took it, even if the end of the line is still unwritten."""
        if not self._write_rest():
            return False
        whole = self._rest = f"{line}\n".encode("utf-8", "backslashreplace")
        if self._write_rest():
            return True
        if self._rest == whole:
            self._rest = b""
        return bool(self._rest)

    def _write_rest(self) -> bool:
        """Write as much of the rest as the descriptor takes now. Return whether nothing is left."""
        while self._rest:
            if not self._is_writable():
                return False
            try:
                written = os.write(self._descriptor, self._rest[:_PIECE])
            except BlockingIOError:
                return False
            # The disk is full, or the reader is gone.
            except OSError:
                self._rest = b""
                return False
            self._rest = self._rest[written:]
        return True

    def _is_writable(self) -> bool:
        now = time.monotonic()
        patience = 0.0 if now - self._stuck_time < _NO_PATIENCE else self._patience
        if self._poll.poll(patience * 1_000):
            return True
        self._stuck_time = now
        return False


def _that_does_not_block(descriptor: int) -> int:
    """Return a descriptor that does not block, of the same terminal. Return any other descriptor as it is.

    A terminal is writable as soon as it takes one byte, so a longer write could block. The given descriptor is not
    changed, because the shell shares it.
    """
    if not os.isatty(descriptor):
        return descriptor
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    # The terminal's name does not exist here, as in a container.
    except OSError:
        return descriptor
