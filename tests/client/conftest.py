"""A booth on an empty store, and a desk at which a person uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import cheap_passwords
from tests.client.booths import BoothTransport, Desk


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    """Return a new store for each test."""
    with SQLiteStore(tmp_path / "chatbooth.db") as store:
        yield store


@pytest.fixture
def booth(store: SQLiteStore) -> Booth:
    """Return a booth over the store."""
    return Booth(store, passwords=cheap_passwords())


@pytest.fixture
def desk(booth: Booth, tmp_path: Path) -> Desk:
    """Return a desk for the booth."""
    return Desk(BoothTransport(booth), tmp_path / "state" / "chatbooth")
