"""A home for a SQLite store, and a disk that can fail under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import SQLiteHome
from tests.store.power_loss import Disk


@pytest.fixture
def home(tmp_path: Path) -> SQLiteHome:
    """The path of a store's file."""
    return SQLiteHome(tmp_path / "home")


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A disk. Stores that are opened on it must be closed before the test ends."""
    disk = Disk()
    yield disk
    disk.unregister()


@pytest.fixture
def open_on_disk(home: SQLiteHome, disk: Disk) -> Callable[[], SQLiteStore]:
    """Open the store of `home` on `disk`."""
    return lambda: SQLiteStore(home.path, clock=home.clock, vfs=disk.name)
