"""The values that the metrics read from the server at each scrape."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Gauges:
    """Functions that return present values. They run on a thread of the metrics, and must not block it for long.

    A function that returns None has no value now.
    """

    queue_depth: Callable[[], int]
    listeners: Callable[[], int]
    connections: Callable[[], Mapping[str, int | None]]
    """How many connections are open, by the name of the wire."""
    store: Path
    is_store_available: Callable[[], bool]
    unacknowledged: Callable[[], int | None]
    certificate_end: Callable[[], float | None]
    """In seconds since 1970."""
    last_backup: Callable[[], float]
    """In seconds since 1970."""

    def store_sizes(self) -> dict[str, int]:
        """Return the sizes of the store's files, in bytes. A file that is not there has none."""
        return {"store": _size(self.store), "log": _size(Path(f"{self.store}-wal"))}

    def store_free(self) -> int | None:
        """Return how many bytes the store's disk has left for this process."""
        try:
            disk = os.statvfs(self.store.parent)
        except OSError:
            return None
        return disk.f_bavail * disk.f_frsize


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
