"""A server that several tests share, and a command line with an own state folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import CommandLine, ServerProcess


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server for tests that do not harm it. They choose usernames that no other test has."""
    server = ServerProcess(tmp_path_factory.mktemp("shared") / "chatbooth.db")
    yield server
    server.end()


@pytest.fixture
def chatbooth(shared_server: ServerProcess, tmp_path: Path) -> CommandLine:
    """Return the command line, which calls the shared server."""
    return CommandLine(shared_server.address, tmp_path / "state")
