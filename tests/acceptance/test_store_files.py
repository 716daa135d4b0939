"""A server whose files disappear while clients send: every acknowledged message is kept."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.errors import ChatboothError, StoreUnavailable
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.acceptance.logged_server import LoggedServer
from tests.acceptance.processes import PASSWORD
from tests.contract.stores import log_in, mailbox
from tests.rpc.health_of import NOT_SERVING, SERVING, watching_health
from tests.store.taking_away import Take, log_of, remove_log, rename_file, rename_folder, replace_both, replace_folder
from tests.waiting import wait_until

PATIENCE = 60.0
SENDERS = 4


class Sender(threading.Thread):
    """Sends messages under new ids until it is stopped. Notes which were acknowledged, and when each was begun."""

    def __init__(self, address: str, session: Session) -> None:
        super().__init__(daemon=True)
        self._client = ChatClient.connect(address, session=session, timeout=0.5)
        self.acknowledged: dict[bytes, float] = {}
        self.refused: list[ChatboothError] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        with self._client as client:
            while not self.stopped.is_set():
                message_id, begun = new_message_id(), time.monotonic()
                try:
                    client.send("ann", "x" * 200, message_id=message_id)
                except ChatboothError as refusal:
                    self.refused.append(refusal)
                else:
                    self.acknowledged[message_id] = begun


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the store, in a folder of its own."""
    (folder := tmp_path / "data").mkdir()
    return folder / "chatbooth.db"


@pytest.fixture
def server(path: Path) -> Iterator[LoggedServer]:
    """Return a server of the store."""
    server = LoggedServer(path)
    yield server
    server.process.kill()
    server.process.wait(PATIENCE)


def stored_ids(path: Path) -> set[bytes]:
    """Return the ids of ann's messages in a store that nobody serves."""
    with SQLiteStore(path) as store:
        return {message.message_id for message in mailbox(store, log_in(store, "ann"))}


def started_senders(address: str) -> list[Sender]:
    """Sign ann up, and let her send to herself from several clients until some messages are acknowledged."""
    with ChatClient.connect(address) as client:
        session = client.sign_up("ann", PASSWORD)
    senders = [Sender(address, session) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    wait_until(lambda: all(len(sender.acknowledged) >= 10 for sender in senders))
    return senders


def stop_and_gather(senders: list[Sender]) -> dict[bytes, float]:
    """Return the acknowledged messages, with the moment at which each send was begun."""
    for sender in senders:
        sender.stopped.set()
    for sender in senders:
        sender.join(PATIENCE)
    return {one: begun for sender in senders for one, begun in sender.acknowledged.items()}


@pytest.mark.parametrize("wire", ["grpc", "wire"])
@pytest.mark.parametrize("take", [rename_folder, replace_folder, rename_file, replace_both])
def test_every_acknowledged_message_is_in_the_files_that_were_taken_away(
    server: LoggedServer, path: Path, wire: str, take: Take, tmp_path: Path
) -> None:
    """After a kill the files lie in different places. The test brings them together and compares."""
    senders = started_senders(server.addresses[wire])
    undo = take(path)
    taken = time.monotonic()
    wait_until(lambda: all(sender.refused for sender in senders))
    acknowledged = stop_and_gather(senders)
    server.end(signal.SIGKILL)
    assert not [begun for begun in acknowledged.values() if begun > taken]
    assert undo is not None
    undo()
    found = stored_ids(path)
    assert acknowledged.keys() <= found
    assert {type(refusal) for sender in senders for refusal in sender.refused} == {StoreUnavailable}


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_after_its_log_was_removed_a_clean_stop_saves_all_messages(server: LoggedServer, path: Path, wire: str) -> None:
    senders = started_senders(server.addresses[wire])
    remove_log(path)
    wait_until(lambda: all(sender.refused for sender in senders))
    acknowledged = stop_and_gather(senders)
    server.end(signal.SIGTERM)
    assert not log_of(path).exists()
    assert acknowledged.keys() <= stored_ids(path)


def test_health_and_the_log_report_it_once_and_report_when_it_is_over(server: LoggedServer, path: Path) -> None:
    with watching_health(server.grpc) as whole, watching_health(server.grpc, SERVICE_NAME) as service:
        assert [next(whole), next(service)] == [SERVING, SERVING]
        undo = rename_folder(path)
        gone = time.monotonic()
        assert [next(whole), next(service)] == [NOT_SERVING, NOT_SERVING]
        assert time.monotonic() - gone < 10, "half a second, on a machine that is not busy"
        undo()
        assert [next(whole), next(service)] == [SERVING, SERVING]
    with ChatClient.connect(server.grpc) as client:
        client.sign_up("ann", PASSWORD)
        client.send("ann", "all is well")
    assert server.lines("nothing is accepted") == 1
    assert server.lines("are back in their place") == 1
