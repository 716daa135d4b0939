"""A server that several tests share, and a command line with a state directory of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import CommandLine, ServerProcess


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for tests that do it no harm; they choose usernames of their own."""
    server = ServerProcess(tmp_path_factory.mktemp("shared") / "chatbooth.db")
    yield server
    server.end()


@pytest.fixture
def chatbooth(shared_server: ServerProcess, tmp_path: Path) -> CommandLine:
    """The command line, calling the shared server."""
    return CommandLine(shared_server.address, tmp_path / "state")
