"""Tells those who watch a store when it stops being available, and when it is available again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from chatbooth_grpc.booth.store import Available


class Availability:
    """Whether a store is available, as its watchers know it.

    Any thread may find that something about the store has changed, and calls `look`. The lock puts the watchers' calls
    into the order of the changes.
    """

    def __init__(self, is_available: Callable[[], bool]) -> None:
        """`is_available` returns at once, and takes no lock."""
        self._is_available = is_available
        self._watchers: list[Available] = []
        self._was_available = True
        self._lock = threading.Lock()

    def watch(self, available: Available) -> None:
        """Call `available` with each change from now on, and at once if the store is not available."""
        with self._lock:
            self._watchers.append(available)
            if not self._was_available:
                available(False)

    def look(self) -> None:
        """Look whether the store is available. If that has changed, tell the watchers before this returns."""
        with self._lock:
            is_available = self._is_available()
            if is_available == self._was_available:
                return
            self._was_available = is_available
            for available in self._watchers:
                available(is_available)
