"""Chat servers on free ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import Running
from tests.server.served import Served

Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers with flags, each on a store of its own."""
    numbers = count()
    with ExitStack() as running:
        yield lambda *flags: running.enter_context(Running(tmp_path / f"chatbooth-{next(numbers)}.db", *flags))


@pytest.fixture
def running(start: Start) -> Running:
    """A server with default settings."""
    return start()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start a server as a process, and wait until it serves."""
    started: list[Served] = []

    def start(*flags: str, **options: Any) -> Served:
        server = Served(tmp_path, *flags, **options)
        started.append(server)
        server.await_banner()
        return server

    yield start
    for each in started:
        each.kill()
