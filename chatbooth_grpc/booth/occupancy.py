"""Limits how many places of one kind each account or address may take at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterator

from chatbooth_grpc.booth.errors import TooBusy


class Occupancy:
    """Counts the places that each key takes. Many threads may use it.

    It remembers only the keys that take a place now, so many keys cost no memory.
    """

    def __init__(self, limit: str, most: int) -> None:
        """`limit` names the places in a refusal, such as "log-ins at once from one address".

        `most` is how many places a key may take.
        """
        self.limit = f"{most:,} {limit}"
        self._most = most
        self._taken: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._taken)

    def enter(self, key: Hashable) -> None:
        """Take a place. A key of None has no limit. Raises TooBusy."""
        if key is None:
            return
        with self._lock:
            taken = self._taken.get(key, 0)
            if taken >= self._most:
                raise TooBusy(self.limit)
            self._taken[key] = taken + 1

    def leave(self, key: Hashable) -> None:
        """Give a place back."""
        if key is None:
            return
        with self._lock:
            left = self._taken[key] - 1
            if left:
                self._taken[key] = left
            else:
                del self._taken[key]

    @contextlib.contextmanager
    def place(self, key: Hashable) -> Iterator[None]:
        """Take a place for as long as the block runs. Raises TooBusy."""
        self.enter(key)
        try:
            yield
        finally:
            self.leave(key)
