"""A store put back while clients read: they learn of it, and miss no later message."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from chatbooth_grpc.booth.model import MessageBatch
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.listening import Listening
from chatbooth_grpc.client.state.history import Restored
from tests.acceptance.processes import PASSWORD, CommandLine, ServerProcess


class Place:
    """A server on both wires, always on the same ports, whose store can be put back with its old epoch."""

    def __init__(self, folder: Path, wire: str) -> None:
        self.file = folder / "store.db"
        self._backup = folder / "backup.db"
        self._ports = ["0", "0"]
        self._start()
        self.address = self.server.addresses[wire]

    def back_up(self) -> None:
        """Copy the store while the server is stopped, and start the server again."""
        self.server.end(signal.SIGTERM)
        shutil.copy(self.file, self._backup)
        self._start()

    def restore(self, *, keeps_epoch: bool = True) -> None:
        """Kill the server, put the copy back, and start it, with the epoch that the copy has or with a new one."""
        self.server.end(signal.SIGKILL)
        for path in self.file.parent.glob(f"{self.file.name}*"):
            path.unlink()
        shutil.copy(self._backup, self.file)
        epoch = self._epoch()
        self._start()
        if not keeps_epoch:
            return
        # Written while the server runs, so that it does not take the file for another one at the next start.
        self._set_epoch(epoch)
        self.server.end(signal.SIGTERM)
        self._start()

    def _start(self) -> None:
        grpc_port, wire_port = self._ports
        self.server = ServerProcess(self.file, int(grpc_port), ["--wire-port", wire_port])
        self._ports = [address.rpartition(":")[2] for address in self.server.addresses.values()]

    def _epoch(self) -> bytes:
        connection = apsw.Connection(str(self.file))
        epoch = bytes(connection.execute("SELECT epoch FROM store").get)
        connection.close()
        return epoch

    def _set_epoch(self, epoch: bytes) -> None:
        connection = apsw.Connection(str(self.file))
        connection.set_busy_timeout(5_000)
        connection.execute("UPDATE store SET epoch = ?", (epoch,))
        connection.close()


@pytest.fixture(params=["grpc", "wire"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Return a place over each wire."""
    place = Place(tmp_path, request.param)
    yield place
    with suppress(ProcessLookupError):
        place.server.end(signal.SIGKILL)


def texts_until(stream: Listening, last: str) -> list[str]:
    """Return the texts that come, up to a given one. A restored store is an empty text."""
    found: list[str] = []
    for event in stream:
        if isinstance(event, Restored):
            found.append("")
        elif isinstance(event, MessageBatch):
            found += [message.text for message in event.messages]
        if found and found[-1] == last:
            break
    return found


def test_a_listener_learns_of_a_restore_and_gets_all_later_messages(place: Place) -> None:
    with ChatClient.connect(place.address, timeout=30) as client:
        session = client.sign_up("ann", PASSWORD)
        client.send("ann", "one")
        place.back_up()
        stream = client.listen(epoch=session.epoch)
        client.send("ann", "two")
        client.send("ann", "three")
        assert texts_until(stream, "three") == ["one", "two", "three"]
        place.restore()
        assert texts_until(stream, "") == [""]
        client.send("ann", "four")
        assert texts_until(stream, "four") in (["four"], ["one", "four"])
        stream.close()


def test_deliver_reports_a_restore_and_shows_all_later_messages(place: Place, tmp_path: Path) -> None:
    command = CommandLine(place.address, tmp_path / "state")
    assert command("signup", "ann").code == 0
    command("send", "ann", "one")
    place.back_up()
    command("send", "ann", "two")
    command("send", "ann", "three")
    assert len(command("deliver").out.splitlines()) == 3
    place.restore()
    command("send", "ann", "four")
    told = command("deliver", "--json")
    assert told.code == 0
    restored, *messages = told.records
    assert (restored["type"], restored["shown_through"], restored["last_sequence"]) == ("restored", 3, 2)
    assert [record["text"] for record in messages] == ["one", "four"]
    assert command("deliver").out == ""


@pytest.mark.parametrize("keeps_epoch", [True, False], ids=["the same epoch", "another epoch"])
def test_deliver_reports_a_restore_once_although_no_message_waits(
    place: Place, tmp_path: Path, keeps_epoch: bool
) -> None:
    command = CommandLine(place.address, tmp_path / "state")
    assert command("signup", "ann").code == 0
    command("send", "ann", "one")
    command("deliver")
    place.back_up()
    command("send", "ann", "two")
    command("deliver")
    place.restore(keeps_epoch=keeps_epoch)
    told = command("deliver", "--json")
    assert [record["type"] for record in told.records] == ["restored"]
    assert "restored" not in command("deliver").err


def test_listen_reports_a_restore_and_shows_all_later_messages(place: Place, tmp_path: Path) -> None:
    command = CommandLine(place.address, tmp_path / "state")
    assert command("signup", "ann").code == 0
    command("send", "ann", "one")
    place.back_up()
    assert command("send", "ann", "two").code == 0
    assert command("send", "ann", "three").code == 0
    assert command("deliver").code == 0
    place.restore()
    assert command("send", "ann", "four").code == 0
    told = command("listen", "--max", "2")
    assert "The server was restored from a backup." in told.err
    assert [line.partition("ann: ")[2] for line in told.out.splitlines()] == ["one", "four"]


def test_a_reader_between_two_batches_acknowledges_nothing_of_another_history(place: Place) -> None:
    with ChatClient.connect(place.address, timeout=30) as client:
        client.sign_up("ann", PASSWORD)
        place.back_up()
        for text in ("one", "two", "three"):
            client.send("ann", text)
        batches = client.batches(max_messages=2)
        assert [message.text for message in next(batches).messages] == ["one", "two"]
        place.restore(keeps_epoch=False)
        for text in ("four", "five", "six", "seven"):
            client.send("ann", text)
        rest = [message.text for batch in batches for message in batch.messages]
        assert rest == ["four", "five", "six", "seven"]
        assert len(batches.restored) == 1


def test_an_inbox_that_is_closed_acknowledges_nothing_of_another_history(place: Place) -> None:
    with ChatClient.connect(place.address, timeout=30) as client:
        client.sign_up("ann", PASSWORD)
        place.back_up()
        for text in ("one", "two", "three"):
            client.send("ann", text)
        with client.messages() as inbox:
            assert [next(inbox).text for _ in range(3)] == ["one", "two", "three"]
            place.restore(keeps_epoch=False)
            for text in ("four", "five", "six", "seven"):
                client.send("ann", text)
        assert [message.text for message in client.messages()] == ["four", "five", "six", "seven"]
