"""Checkpoints: when the log is copied into the file, and how both are marked."""

from __future__ import annotations

import apsw
import pytest

from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.store.sqlite import checkpoints, leftovers
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import SQLiteHome, send_texts, sign_up
from tests.store.disk_actions import Failing
from tests.store.power_loss import Disk


@pytest.fixture
def few_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a log be long when it has a few pages."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", 64)


def alone(home: SQLiteHome) -> tuple[bytes | None, bytes | None]:
    """Read the generation and the base of the log from the file alone."""
    found = leftovers._read(home.path, None, "immutable=1")
    assert found is not None
    return found


def through_log(home: SQLiteHome) -> tuple[bytes | None, bytes | None]:
    """Read them through the log."""
    found = leftovers._read(home.path, None, "mode=ro")
    assert found is not None
    return found


def until_copied(store: SQLiteStore, home: SQLiteHome, ann: StoredSession) -> None:
    """Send until the file has another generation."""
    before = alone(home)
    for _ in range(100):
        send_texts(store, ann, "ann", "x" * 3_000)
        if alone(home) != before:
            return
    raise AssertionError("no checkpoint came")


@pytest.mark.usefixtures("few_pages")
def test_a_log_begins_with_the_generation_of_its_file_and_ends_with_a_new_one(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        found: set[bytes | None] = set()
        for _ in range(5):
            base, _ = alone(home)
            send_texts(store, ann, "ann", "first of a log")
            assert through_log(home) == (base, base)
            until_copied(store, home, ann)
            generation, log_base = alone(home)
            assert log_base == base != generation
            found.add(generation)
    assert len(found) == 5


@pytest.mark.usefixtures("few_pages")
def test_a_log_is_copied_only_once_it_is_long_again(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        for _ in range(2):
            until_copied(store, home, ann)
            before = alone(home)
            # Each of these writes a few pages.
            for _ in range(5):
                send_texts(store, ann, "ann", "x")
            assert alone(home) == before


@pytest.mark.usefixtures("few_pages")
def test_a_generation_stays_while_a_reader_keeps_the_log_from_being_copied(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        reader = apsw.Connection(str(home.path))
        reader.execute("BEGIN; SELECT * FROM mailboxes").fetchall()
        for _ in range(20):
            send_texts(store, ann, "ann", "x" * 3_000)
        first = through_log(home)
        for _ in range(20):
            send_texts(store, ann, "ann", "x" * 3_000)
        assert through_log(home) == first
        assert first[1] in alone(home)
        reader.close()
        until_copied(store, home, ann)
        assert alone(home) == first


@pytest.mark.usefixtures("few_pages")
def test_a_checkpoint_that_fails_fails_no_send_and_is_tried_again(home: SQLiteHome, disk: Disk) -> None:
    with SQLiteStore(home.path, clock=home.clock, vfs=disk.name) as store:
        ann = sign_up(store, "ann")
        failing = Failing(apsw.SQLITE_IOERR, file=".db")
        with disk.before("write", failing):
            for _ in range(20):
                send_texts(store, ann, "ann", "x" * 3_000)
        assert failing.failed
        # The writer runs a checkpoint after it has answered, so the next sends see that it is done.
        until_copied(store, home, ann)


def test_opening_copies_the_log_that_a_killed_server_left(home: SQLiteHome) -> None:
    with home.open() as store:
        sign_up(store, "ann")
    reader = apsw.Connection(str(home.path))
    # This reader keeps SQLite from removing the log when the store closes.
    reader.execute("SELECT * FROM store").fetchall()
    with home.open() as store:
        sign_up(store, "ben")
    with home.open() as store:
        assert alone(home)[0] in through_log(home)
        assert store.account("ben") is not None
    reader.close()


def test_a_clean_stop_ends_the_log_with_a_new_generation(home: SQLiteHome) -> None:
    found: list[bytes | None] = []
    for _ in range(3):
        with home.open() as store:
            store.expire_sessions(0, 1)
        found.append(alone(home)[0])
    assert len(set(found)) == 3
