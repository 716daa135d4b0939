"""P10 on the command line: unknown content is shown once, and all that follows it, too."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.credentials import hash_token
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.booth.store import NewMessage
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.acceptance.processes import PASSWORD, CommandLine, ServerProcess
from tests.booth.cheap_passwords import cheap_passwords
from tests.contract.stores import send

RAW = b"\x00\xff\x1b[2J raw"
WORDS = "a message of a kind that this client does not know (kind 200); update the client"


def newer_store(path: Path, names: tuple[str, ...]) -> None:
    """Make accounts. In the mailbox of each are a text, content of kind 200, and a text."""
    with SQLiteStore(path) as store:
        booth = Booth(store, passwords=cheap_passwords())
        for name in names:
            session = store.session(hash_token(booth.sign_up(name, PASSWORD).token))
            assert session is not None
            contents = [(1, b"before"), (200, RAW), (1, b"after")]
            messages = [OutgoingMessage(name, os.urandom(16), content, kind) for kind, content in contents]
            for message in messages:
                send(store, NewMessage(session, message, os.urandom(16)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server with both wires over such a store."""
    store = tmp_path_factory.mktemp("newer") / "chatbooth.db"
    newer_store(store, tuple(f"{what}-{wire}" for what in ("listener", "reader") for wire in ("grpc", "wire")))
    running = ServerProcess(store, flags=["--wire-port", "0"])
    yield running
    running.end()


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_listen_shows_it_once_and_continues(server: ServerProcess, wire: str, tmp_path: Path) -> None:
    command = CommandLine(server.addresses[wire], tmp_path)
    name = f"listener-{wire}"
    assert command("login", name).code == 0
    listened = command("--json", "listen", "--max", "3")
    assert (listened.code, listened.err) == (0, "")
    before, unknown, after = listened.records
    assert (before["text"], after["text"]) == ("before", "after")
    assert (unknown["sequence"], unknown["kind"], base64.b64decode(unknown["content"])) == (2, 200, RAW)
    assert command("send", name, "later").code == 0
    # Neither another listen nor the server shows a message again.
    assert [record.get("text") for record in command("--json", "listen", "--max", "1").records] == ["later"]
    assert command("deliver").out == ""


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_deliver_shows_it_to_a_person_once(server: ServerProcess, wire: str, tmp_path: Path) -> None:
    command = CommandLine(server.addresses[wire], tmp_path)
    assert command("login", f"reader-{wire}").code == 0
    delivered = command("deliver")
    assert (delivered.code, delivered.err) == (0, "")
    assert [line.partition(f"reader-{wire}: ")[2] for line in delivered.out.splitlines()] == ["before", WORDS, "after"]
    assert command("deliver").out == ""
