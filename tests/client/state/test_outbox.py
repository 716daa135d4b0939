"""The durable outbox: messages are on the disk, sent once, and a refusal delays no other."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatbooth_grpc.booth.errors import (
    DeadlineExceeded,
    RecipientNotFound,
    ServerUnreachable,
    SessionInvalid,
    TooBusy,
)
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.client.state.outbox import Outbox, OutboxDamaged, set_aside

RECEIPT = Receipt(1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ann.7.outbox"


class Server:
    """A server that stores by message id, and fails as the test tells it to."""

    def __init__(self, *failures: Exception | None) -> None:
        self.stored: dict[bytes, tuple[str, str]] = {}
        self.calls: list[str] = []
        self._failures = list(failures)

    def send(self, recipient: str, text: str, message_id: bytes) -> Receipt:
        self.calls.append(text)
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        self.stored.setdefault(message_id, (recipient, text))
        return RECEIPT


def test_messages_are_sent_in_order_and_leave_the_outbox(path: Path) -> None:
    server = Server()
    with Outbox(path) as outbox:
        ids = [outbox.put("ben", text) for text in ("one", "two", "three")]
        assert [message.message_id for message in outbox.waiting()] == ids
        assert [outcome for _, outcome in outbox.flush(server.send)] == [RECEIPT] * 3
        assert outbox.waiting() == []
    assert server.calls == ["one", "two", "three"]


def test_a_queued_message_outlives_the_program(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from chatbooth_grpc.client.state.outbox import Outbox\n"
        "print(Outbox(Path(sys.argv[1])).put('ben', 'kept').hex(), flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert killed.returncode == -9
    with Outbox(path) as outbox:
        assert [(m.message_id.hex(), m.text) for m in outbox.waiting()] == [(killed.stdout.strip(), "kept")]


def test_a_message_is_on_the_disk_before_put_returns(path: Path) -> None:
    with Outbox(path) as outbox:
        assert outbox._database.pragma("synchronous") == 3
        assert outbox._database.pragma("journal_mode") == "delete"


@pytest.mark.parametrize(
    "failure", [ServerUnreachable("the server"), DeadlineExceeded(), TooBusy("calls at once"), SessionInvalid()]
)
def test_after_a_temporary_failure_the_order_stays(path: Path, failure: Exception) -> None:
    server = Server(None, failure)
    with Outbox(path) as outbox:
        for text in ("one", "two", "three"):
            outbox.put("ben", text)
        with pytest.raises(type(failure)):
            list(outbox.flush(server.send))
        assert [message.text for message in outbox.waiting()] == ["two", "three"]
        list(outbox.flush(server.send))
    assert [text for _, text in server.stored.values()] == ["one", "two", "three"]


def test_a_refused_message_is_kept_apart_with_its_reason(path: Path) -> None:
    server = Server(RecipientNotFound("nemo"))
    with Outbox(path) as outbox:
        refused = outbox.put("nemo", "lost?")
        outbox.put("ben", "fine")
        outcomes = [outcome for _, outcome in outbox.flush(server.send)]
        assert isinstance(outcomes[0], RecipientNotFound)
        assert outcomes[1] == RECEIPT
        [kept] = outbox.refused()
        assert (kept.message_id, kept.text, "nemo" in str(kept.refusal)) == (refused, "lost?", True)
        assert outbox.drop(refused)
        assert not outbox.drop(refused)


def test_after_a_crash_between_the_receipt_and_the_note_the_same_id_is_sent_again(path: Path) -> None:
    server = Server()
    with Outbox(path) as outbox:
        outbox.put("ben", "once")
        [message] = outbox.waiting()
        server.send(message.recipient, message.text, message.message_id)
    with Outbox(path) as outbox:
        list(outbox.flush(server.send))
    assert server.calls == ["once", "once"]
    assert len(server.stored) == 1


def test_only_one_sends_at_a_time(path: Path) -> None:
    server = Server()
    with Outbox(path) as outbox, Outbox(path) as other:
        outbox.put("ben", "one")
        outbox.put("ben", "two")
        sending = outbox.flush(server.send)
        next(sending)
        assert list(other.flush(server.send)) == []
        other.put("ben", "three")
        assert len(list(sending)) == 2
    assert server.calls == ["one", "two", "three"]


def test_only_its_owner_may_read_it(path: Path) -> None:
    with Outbox(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def filled(path: Path) -> None:
    """Return an outbox of many pages."""
    with Outbox(path) as outbox:
        for number in range(40):
            outbox.put("ben", f"{number} {'x' * 1_000}")


def garbage(path: Path) -> None:
    path.write_bytes(b"no database, by far" * 100)


def truncated(path: Path) -> None:
    filled(path)
    os.truncate(path, path.stat().st_size // 2)


def torn(path: Path) -> None:
    filled(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * 8192)


def of_another_program(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")


def of_another_form(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT)")


@pytest.mark.parametrize("damage", [garbage, truncated, torn, of_another_program, of_another_form])
def test_a_damaged_file_is_set_aside_and_stays_readable(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    found = path.read_bytes()
    with pytest.raises(OutboxDamaged) as damaged:
        Outbox(path)
    assert damaged.value.filename == str(path)
    assert path.read_bytes() == found
    kept = set_aside(path)
    assert kept == path.with_name(f"{path.name}.damaged-1")
    assert kept.read_bytes() == found
    with Outbox(path) as outbox:
        outbox.put("ben", "tea?")
    # The new outbox works.
    assert set_aside(path) is None
    damage_again = path.with_name("again")
    garbage(damage_again)
    damage_again.replace(path)
    assert set_aside(path) == path.with_name(f"{path.name}.damaged-2")


def test_no_journal_of_a_damaged_file_stays_beside_the_new_one(path: Path) -> None:
    """SQLite would roll it back into the new outbox."""
    garbage(path)
    Path(f"{path}-journal").write_bytes(b"a journal")
    set_aside(path)
    assert not Path(f"{path}-journal").exists()


def test_two_processes_that_find_the_damage_set_it_aside_once(path: Path) -> None:
    garbage(path)
    with ThreadPoolExecutor(4) as pool:
        kept = [name for name in pool.map(lambda _: set_aside(path), range(8)) if name]
    assert len(kept) == 1
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_an_unusable_path_is_a_plain_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        Outbox(path)
    with pytest.raises(FileNotFoundError):
        Outbox(path / "below" / "x")
