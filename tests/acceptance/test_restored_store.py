"""A server starts on a backup while a client that has shown later messages listens."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatbooth_grpc.booth.model import MessageBatch, Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.acceptance.logged_server import LoggedServer
from tests.acceptance.processes import PASSWORD
from tests.waiting import wait_until

FRESH = "it begins a new epoch"


class Screen:
    """The texts that a listening client has shown, in order."""

    def __init__(self, address: str, session: Session) -> None:
        self.texts: list[str] = []
        self._client = ChatClient.connect(address, session=session)
        self._stream = self._client.listen()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for event in self._stream:
            if isinstance(event, MessageBatch):
                self.texts.extend(message.text for message in event.messages)

    def close(self) -> None:
        """Stop listening."""
        self._stream.close()
        self._thread.join(60)
        self._client.close()


@contextmanager
def serving(path: Path, *flags: str) -> Iterator[LoggedServer]:
    """Run a server, and stop it if it still runs."""
    server = LoggedServer(path, *flags)
    try:
        yield server
    finally:
        server.end(signal.SIGTERM)


def send(address: str, session: Session, *texts: str) -> None:
    """Let ann send to herself."""
    with ChatClient.connect(address, session=session) as client:
        for text in texts:
            client.send("ann", text)


@pytest.mark.parametrize("wire", ["grpc", "wire"])
@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_every_message_that_is_sent_after_a_restore_is_shown(tmp_path: Path, wire: str, ends: signal.Signals) -> None:
    (folder := tmp_path / "data").mkdir()
    path, backup = folder / "chatbooth.db", tmp_path / "backup.db"
    with serving(path) as server:
        ports, address = server.ports, server.addresses[wire]
        with ChatClient.connect(address) as client:
            session = client.sign_up("ann", PASSWORD)
        send(address, session, "1", "2")
    shutil.copy(path, backup)
    with serving(path, *ports) as server:
        screen = Screen(address, session)
        send(address, session, "3", "4", "5", "6")
        wait_until(lambda: screen.texts == ["1", "2", "3", "4", "5", "6"])
        server.end(ends)
    for left in folder.glob("chatbooth.db-*"):
        left.unlink()
    shutil.copy(backup, path)
    with serving(path, *ports) as server:
        send(address, session, "a", "b", "c", "d")
        wait_until(lambda: screen.texts[-1:] == ["d"])
        assert [text for text in screen.texts if text.isalpha()] == ["a", "b", "c", "d"]
        assert server.lines(FRESH) == 1
        screen.close()
    with serving(path, *ports) as server:
        assert server.lines(FRESH) == 0, "a restart is no restore"


def test_the_operator_may_declare_a_restore(tmp_path: Path) -> None:
    (folder := tmp_path / "data").mkdir()
    path = folder / "chatbooth.db"
    with serving(path) as server, ChatClient.connect(server.grpc) as client:
        epoch = client.sign_up("ann", PASSWORD).epoch
    with serving(path, "--restored") as server, ChatClient.connect(server.grpc) as client:
        assert client.log_in("ann", PASSWORD).epoch != epoch
        assert server.lines(FRESH) == 1
        assert server.lines("--restored says so") == 1
