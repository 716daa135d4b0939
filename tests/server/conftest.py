"""A fixture that starts servers as processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.rpc.conftest import grpcio, running, start
from tests.server.served import Served

__all__ = ["grpcio", "running", "serve", "start"]

# The libraries of these tests are extras.
_EXTRAS = {"prometheus_client": "test_metrics.py", "opentelemetry": "test_traces.py"}
collect_ignore = [test for library, test in _EXTRAS.items() if not find_spec(library)]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Return a function that starts a server as a process, and waits until it serves."""
    started: list[Served] = []

    def begin(*flags: str, **options: Any) -> Served:
        server = Served(tmp_path, *flags, **options)
        started.append(server)
        server.await_banner()
        return server

    yield begin
    for each in started:
        each.kill()
