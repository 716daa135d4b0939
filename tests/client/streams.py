"""Streams for output: a terminal, a full disk, and a pipe whose reader ends."""

from __future__ import annotations

import errno
import io
import os


class Terminal(io.StringIO):
    """A stream that a person reads. Tests give its width."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise AssertionError("its width is given")


class Full(io.StringIO):
    """A stream into a file on a full disk."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class BrokenPipe(io.StringIO):
    """A stream into a program that ends after it has read `whole` writes."""

    def __init__(self, whole: int) -> None:
        super().__init__()
        self._left = whole

    def write(self, text: str) -> int:
        if self._left == 0:
            raise BrokenPipeError
        self._left -= 1
        return super().write(text)
