"""A booth over an empty SQLite store, with a clock of the test and quick passwords."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.credentials import Passwords
from tests.booth.acting import SignUp
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.contract.stores import Clock


@pytest.fixture
def clock() -> Clock:
    """The clock of the store and the booth."""
    return Clock()


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """The path of the store."""
    return tmp_path / "chatbooth.db"


@pytest.fixture
def store(store_path: Path, clock: Clock) -> Iterator[InterruptedStore]:
    """An open, empty store."""
    store = InterruptedStore(store_path, clock=clock)
    yield store
    store.close()


@pytest.fixture
def passwords() -> Passwords:
    """Passwords whose hashes take no time."""
    return cheap_passwords()


@pytest.fixture
def booth(store: InterruptedStore, passwords: Passwords, clock: Clock) -> Booth:
    """A booth on the store."""
    return Booth(store, passwords=passwords)


@pytest.fixture
def sign_up(booth: Booth) -> SignUp:
    """Make an account with the usual password."""
    return lambda username: booth.sign_up(username, PASSWORD)
