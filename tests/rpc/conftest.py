"""gRPC servers on free ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

from tests.rpc.another_grpcio import another_grpcio
from tests.rpc.running import Running

Start = Callable[..., Running]


BOTH_GRPCIOS = pytest.mark.parametrize("grpcio", ["as-expected", "another"], indirect=True)
"""Runs a test twice: with grpcio's private names, and by its public API alone."""

# The library of these tests is an extra.
collect_ignore = [] if find_spec("grpc_reflection") else ["server/test_reflection.py"]


@pytest.fixture
def grpcio(request: pytest.FixtureRequest) -> Iterator[str]:
    """The grpcio that the servers find: the installed one, unless a test says otherwise."""
    which: str = getattr(request, "param", "as-expected")
    with another_grpcio() if which == "another" else nullcontext():
        yield which


@pytest.fixture
def start(tmp_path: Path, grpcio: str) -> Iterator[Start]:
    """Start servers with flags, each on a new store."""
    numbers = count()
    with ExitStack() as running:
        yield lambda *flags: running.enter_context(Running(tmp_path / f"chatbooth-{next(numbers)}.db", *flags))


@pytest.fixture
def running(start: Start) -> Running:
    """A server with default settings."""
    return start()
