"""A server that several tests share, and a command line, also at a terminal."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.acceptance.processes import CLIENT, CommandLine, ServerProcess
from tests.acceptance.terminals import Terminal


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


@pytest.fixture
def terminal(chatbooth: CommandLine) -> Iterator[Terminal]:
    """Return a function that starts the command line at a terminal. No password is in the environment."""
    chatbooth.variables.clear()
    started: list[pexpect.spawn[str]] = []

    def start(*words: str, columns: int = 80, term: str = "xterm") -> pexpect.spawn[str]:
        environment = {**chatbooth.environment(), "TERM": term}
        child = pexpect.spawn(
            CLIENT[0],
            [*CLIENT[1:], *words],
            env=environment,
            encoding="utf-8",
            timeout=60,
            dimensions=(24, columns),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


@pytest.fixture
def name() -> str:
    """Return a username that nobody else has."""
    return f"t-{uuid.uuid4().hex[:12]}"
