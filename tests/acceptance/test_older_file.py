"""An older copy of the store's file beside the log of a killed server is refused."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.acceptance.processes import PASSWORD, ServerProcess, environment


class Place:
    """A store, an older copy of its file, and the files that a killed server left."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.file = folder / "store.db"
        self.log = folder / "store.db-wal"
        self.backup = folder / "backup.db"
        self.kept = folder / "kept.db"

    def serve(self, end: signal.Signals, session: Session | None, *texts: str) -> Session:
        """Run a server, send ann these texts, and end the server by a signal. Return ann's session."""
        server = ServerProcess(self.file)
        with ChatClient.connect(server.address, session=session) as client:
            session = session or client.sign_up("ann", PASSWORD)
            for text in texts:
                client.send("ann", text)
        server.end(end)
        return session

    def put_backup_back(self) -> None:
        """Put the older copy in place of the file, and keep the file."""
        self.file.rename(self.kept)
        shutil.copy(self.backup, self.file)

    def texts(self, session: Session) -> list[str]:
        """Return what a server on this store delivers to ann."""
        server = ServerProcess(self.file)
        with ChatClient.connect(server.address, session=session) as client:
            found = [message.text for message in client.deliver(after=0).messages]
        server.end(signal.SIGTERM)
        return found

    def refusal(self) -> str:
        """Start a server, which must refuse, change nothing and report that in one line."""
        before = (self.file.read_bytes(), self.log.read_bytes())
        command = [sys.executable, "-m", "chatbooth_grpc.server", "--port", "0", "--store", str(self.file)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60, check=False)
        assert done.returncode == 1
        assert (self.file.read_bytes(), self.log.read_bytes()) == before
        (line,) = done.stderr.splitlines()
        return line


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a folder for a store."""
    return Place(tmp_path / "place")


@pytest.fixture
def ann(place: Place) -> Session:
    """Return ann's session. Her store was copied with one message and killed with three: the third in the log."""
    session = place.serve(signal.SIGTERM, None, "one")
    shutil.copy(place.file, place.backup)
    place.serve(signal.SIGTERM, session, "two")
    place.serve(signal.SIGKILL, session, "three")
    place.put_backup_back()
    return session


def test_the_server_refuses_to_start_and_says_what_to_do(place: Place, ann: Session) -> None:
    assert ann.username == "ann"
    words = place.refusal()
    assert re.search(rf"{place.file} and the log beside it, {place.log}, do not belong together", words)
    assert place.refusal() == words


def test_with_the_right_file_put_back_every_message_is_there(place: Place, ann: Session) -> None:
    place.refusal()
    place.kept.replace(place.file)
    assert place.texts(ann) == ["one", "two", "three"]


def test_with_the_log_moved_away_the_older_state_is_complete(place: Place, ann: Session) -> None:
    place.refusal()
    moved = place.log.rename(place.log.with_name("moved"))
    assert place.texts(ann) == ["one"]
    # The log that was moved away still fits its own file.
    moved.replace(place.log)
    place.kept.replace(place.file)
    assert place.texts(ann) == ["one", "two", "three"]


def test_a_log_without_its_file_stops_the_server_and_is_kept(place: Place, ann: Session) -> None:
    place.file.unlink()
    place.file.touch()
    assert "missing or empty" in place.refusal()
    place.kept.replace(place.file)
    assert place.texts(ann) == ["one", "two", "three"]


def test_a_copy_from_which_the_log_continues_is_accepted(place: Place) -> None:
    session = place.serve(signal.SIGTERM, None, "one")
    shutil.copy(place.file, place.backup)
    place.serve(signal.SIGKILL, session, "two")
    place.put_backup_back()
    assert place.texts(session) == ["one", "two"]
