"""Wire servers on free ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from chatbooth_grpc.wire.server import connection
from tests.wire.certificates import Certificate
from tests.wire.running import Running

Start = Callable[..., Running]


@pytest.fixture(params=["own threads", "lent at once"])
def start(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start servers with settings, each on a new store. Each test runs again with every connection lent."""
    if request.param == "lent at once":
        monkeypatch.setattr(connection, "_READS_BEFORE_LENDING", 0)
    numbers = count()
    with ExitStack() as running:
        yield lambda **settings: running.enter_context(Running(tmp_path / f"wire-{next(numbers)}.db", **settings))


@pytest.fixture
def running(start: Start) -> Running:
    """A server with default settings."""
    return start()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for "localhost"; the test is skipped where none can be made."""
    return Certificate(tmp_path_factory.mktemp("certificate"))
