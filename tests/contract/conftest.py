"""The stores under contract, as fixtures: every test here runs on each kind of store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from chatbooth_grpc.booth.store import Store
from tests.contract.stores import HOMES, Clock, Home


@pytest.fixture(params=HOMES)
def new_home(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Home]:
    """Make homes of one kind of store, each empty."""
    numbers = count()
    return lambda: HOMES[request.param](tmp_path / f"home-{next(numbers)}")


@pytest.fixture
def home(new_home: Callable[[], Home]) -> Home:
    """The home of `store`. A test that reopens it closes `store` first."""
    return new_home()


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """An open, empty store."""
    store = home.open()
    yield store
    store.close()


@pytest.fixture
def clock(home: Home) -> Clock:
    """The clock of `store`."""
    return home.clock
