"""The servers that tests start: none is left over, and their ports stay free for the next server."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.acceptance.held_ports import hold_ports, release_port
from tests.acceptance.logged_server import LoggedServer
from tests.acceptance.processes import ServerProcess


def test_a_held_port_is_free_for_a_server_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ended:
        port = ended.getsockname()[1]
    hold_ports([f"wire://127.0.0.1:{port}", "unix:/no/port"])
    try:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port)).close()
    finally:
        release_port(port)


def test_a_server_that_does_not_start_fails_at_once_with_its_own_words(tmp_path: Path) -> None:
    store = tmp_path / "store" / "chat.db"
    store.parent.mkdir()
    with pytest.raises(AssertionError, match="--moon"):
        LoggedServer(store, "--moon")
    with pytest.raises(AssertionError, match="--moon"):
        ServerProcess(store, flags=["--moon"])
