"""Lines of text for a descriptor that nobody may read: lines are lost, nobody waits."""

from __future__ import annotations

import math
import os
import select
import time

_PATIENCE = 0.1
"""Seconds that a line waits for a reader, and then is lost."""

_NO_PATIENCE = 10.0
"""Seconds after that in which no other line waits. Otherwise a slow reader would delay every line."""

_PIECE = select.PIPE_BUF
"""Bytes that a pipe takes without blocking whenever it is writable."""


class LogStream:
    """Writes whole lines, for one caller at a time."""

    def __init__(self, descriptor: int, patience: float = _PATIENCE) -> None:
        self._descriptor = _that_does_not_block(descriptor)
        self._patience = patience
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)
        self._stuck_time = -math.inf
        # What is left of a line whose beginning is written. It comes before any other line.
        self._rest = b""

    def write(self, line: str) -> bool:
        """Write a line; return whether it was taken, if perhaps not to its end yet."""
        if not self._write_rest():
            return False
        whole = self._rest = f"{line}\n".encode("utf-8", "backslashreplace")
        if self._write_rest():
            return True
        if self._rest == whole:
            self._rest = b""
        return bool(self._rest)

    def _write_rest(self) -> bool:
        """Write what is left, as far as it is taken now; return whether that is all."""
        while self._rest:
            if not self._is_writable():
                return False
            try:
                written = os.write(self._descriptor, self._rest[:_PIECE])
            except BlockingIOError:
                return False
            except OSError:  # its disk is full, or its reader is gone
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
    """Return a descriptor of the same terminal, if it is one, that does not block; else the same descriptor.

    A terminal is writable as soon as it takes one byte. The descriptor itself stays as it is: the shell has it, too.
    """
    if not os.isatty(descriptor):
        return descriptor
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # its name is not here, as in a container
        return descriptor
