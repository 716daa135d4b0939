"""gRPC servers on free ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.rpc.running import Running

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
