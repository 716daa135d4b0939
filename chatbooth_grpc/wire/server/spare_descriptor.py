"""A file descriptor that is kept back, to refuse a client with when there is no other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class SpareDescriptor:
    """Holds one descriptor. One thread at a time may use it."""

    def __init__(self) -> None:
        self._descriptor: int | None = _open()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Free the descriptor for what is done inside, and take one again afterwards.

        Raises OSError: there is none to free, since another thread took it the last time.
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
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
