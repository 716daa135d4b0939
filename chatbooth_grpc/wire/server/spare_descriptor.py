"""A file descriptor kept in reserve, to refuse a client when no other is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class SpareDescriptor:
    """Holds one descriptor. Only one thread at a time may use this object."""

    def __init__(self) -> None:
        self._descriptor: int | None = _open()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Close the descriptor, so that the block can open one, and open a new one after the block.

        Raises OSError if there is none to close. Then another thread took it the last time, and none has become free
        since.
        """
        if self._descriptor is None:
            self._descriptor = _open()
        self.close()
        try:
            yield
        finally:
            try:
                self._descriptor = _open()
            except OSError:
                self._descriptor = None

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
