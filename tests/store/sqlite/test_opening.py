"""Opening a store's file: it is made private and current, or refused in clear words."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import apsw
import pytest

from chatbooth_grpc.booth.model import SessionKind
from chatbooth_grpc.store.sqlite import opening
from chatbooth_grpc.store.sqlite.copying import open_alone
from chatbooth_grpc.store.sqlite.opening import StoreOpenError
from chatbooth_grpc.store.sqlite.sql import load_migrations
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import SQLiteHome, make_invite, names_of, send_texts, sign_up, sign_up_with, texts
from tests.store.disk_actions import Failing
from tests.store.earlier import make_earlier_store
from tests.store.power_loss import Call, Disk
from tests.store.refused import refusal_to_open
from tests.store.sqlite.test_copying import largest_file


def test_the_path_stays_the_same_when_the_process_changes_its_directory(
    home: SQLiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.path.parent)
    with SQLiteStore(home.path.name) as store:
        monkeypatch.chdir(tmp_path)
        sign_up(store, "ann")
        assert names_of(store) == ["ann"]


def test_an_empty_file_becomes_a_store(home: SQLiteHome) -> None:
    home.path.touch()
    with home.open() as store:
        sign_up(store, "ann")
    connection = apsw.Connection(str(home.path))
    assert connection.pragma("application_id") == opening.APPLICATION_ID
    assert connection.pragma("user_version") == load_migrations()[-1][0]
    assert connection.pragma("integrity_check") == "ok"
    tables = connection.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict")
    assert all(name.startswith("sqlite_") for (name,) in tables)
    connection.close()


def test_nobody_else_may_read_a_store(home: SQLiteHome) -> None:
    previous = os.umask(0)
    try:
        with home.open() as store:
            sign_up(store, "ann")
            modes = {path.name: path.stat().st_mode & 0o077 for path in home.path.parent.iterdir()}
    finally:
        os.umask(previous)
    assert {home.path.name, f"{home.path.name}-wal"} <= modes.keys()
    assert set(modes.values()) == {0}


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [number for number, _ in load_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_an_older_store_is_brought_up_to_date(home: SQLiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "hello")
    newest = load_migrations()[-1][0]
    later = [*load_migrations(), (newest + 1, "CREATE TABLE later (number INTEGER) STRICT")]
    monkeypatch.setattr(opening, "load_migrations", lambda: later)
    for _ in range(2):
        with home.open() as store:
            assert texts(store, ann) == ["hello"]
    connection = apsw.Connection(str(home.path))
    assert connection.pragma("user_version") == newest + 1
    assert connection.table_exists("main", "later")
    connection.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(home: SQLiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "hello")
    newest = load_migrations()[-1][0]
    broken = [*load_migrations(), (newest + 1, "DROP TABLE messages; SELECT nonsense")]
    with monkeypatch.context() as patched:
        patched.setattr(opening, "load_migrations", lambda: broken)
        refusal_to_open(home.path)
    with home.open() as store:
        assert texts(store, ann) == ["hello"]


@pytest.mark.parametrize("version", range(1, len(load_migrations())))
def test_a_copy_of_the_store_as_it_was_is_kept_before_a_migration(
    home: SQLiteHome, caplog: pytest.LogCaptureFixture, version: int
) -> None:
    caplog.set_level("INFO", logger=opening.__name__)
    ann = make_earlier_store(home, version, "ann")
    newest = load_migrations()[-1][0]
    copy = home.path.with_name(f"{home.path.name}.before-{newest}")
    copy.write_text("a copy of an attempt that failed")
    with home.open() as store:
        assert names_of(store) == ["ann"]
        assert texts(store, ann) == []
        [entry] = store.sessions_of(ann, 0, 9)
        assert (entry.kind, entry.limits, entry.expire_time) == (SessionKind.PERSON, None, 0)
        send_texts(store, ann, "ann", "as before")
    assert copy.stat().st_mode & 0o777 == 0o600
    [line] = [record for record in caplog.records if record.name == opening.__name__]
    assert (vars(line)["schema"], vars(line)["new_schema"], vars(line)["copy"]) == (version, newest, str(copy))
    before = open_alone(copy)
    assert before.pragma("user_version") == version
    assert before.pragma("integrity_check") == "ok"
    assert before.execute("SELECT username FROM accounts").get == "ann"
    before.close()
    caplog.clear()
    with home.open():
        assert not caplog.records


def test_a_new_store_needs_no_copy(home: SQLiteHome) -> None:
    with home.open() as store:
        sign_up(store, "ann")
    assert {path.name for path in home.path.parent.iterdir()} == {home.path.name, f"{home.path.name}.seal"}


def test_a_store_is_not_migrated_without_a_copy(home: SQLiteHome) -> None:
    make_earlier_store(home, 5, "ann")
    copy = home.path.with_name(f"{home.path.name}.before-{load_migrations()[-1][0]}")
    copy.mkdir()
    before = home.path.read_bytes()
    assert "a copy must be kept" in refusal_to_open(home.path)
    assert home.path.read_bytes() == before
    assert not list(home.path.parent.glob("*.part-*"))


def test_a_full_disk_stops_a_migration_before_it_begins(home: SQLiteHome) -> None:
    make_earlier_store(home, 5, "ann")
    before = home.path.read_bytes()
    with largest_file(len(before) // 2):
        assert "a copy must be kept" in refusal_to_open(home.path)
    assert home.path.read_bytes() == before
    assert not list(home.path.parent.glob("*.before-*"))
    home.open().close()


def test_a_newer_store_is_refused_and_left_alone(home: SQLiteHome) -> None:
    with home.open() as store:
        sign_up(store, "ann")
    connection = apsw.Connection(str(home.path))
    connection.pragma("user_version", 999)
    connection.close()
    before = home.path.read_bytes()
    assert "newer" in refusal_to_open(home.path)
    assert home.path.read_bytes() == before


def foreign_database(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE recipes (name); INSERT INTO recipes VALUES ('cake')")
    connection.close()


def foreign_empty_database(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", 12345)
    connection.close()


@pytest.mark.parametrize(
    "make",
    [
        foreign_database,
        foreign_empty_database,
        lambda path: path.write_bytes(b"Dear diary,\n" * 1_000),
        lambda path: path.write_bytes(b"xy"),
        lambda path: path.write_bytes(bytes(range(256)) * 64),
    ],
    ids=["database", "empty database", "text", "two bytes", "bytes"],
)
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "foreign"
    make(path)
    before = path.read_bytes()
    assert "not a chatbooth store" in refusal_to_open(path) or "another program" in refusal_to_open(path)
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    refusal_to_open(tmp_path / "file" / "store.db")
    refusal_to_open(tmp_path / "missing" / "store.db")
    refusal_to_open(tmp_path)


@pytest.mark.parametrize("call", ["read", "write", "sync"])
@pytest.mark.parametrize("is_new", [True, False])
def test_an_opening_that_fails_anywhere_says_so_and_can_be_repeated(
    tmp_path: Path, disk: Disk, call: Call, is_new: bool
) -> None:
    for number in count():
        home = SQLiteHome(tmp_path / str(number))
        if not is_new:
            with home.open() as store:
                sign_up(store, "bob")
        fault = Failing(apsw.SQLITE_IOERR, file="", calls=[number])
        with disk.before(call, fault):
            try:
                opened = SQLiteStore(home.path, vfs=disk.name)
            except StoreOpenError:
                assert fault.failed
                opened = None
        if opened is not None:
            opened.close()
        with home.open() as store:
            sign_up(store, "ann")
        if not fault.failed:
            break


def test_an_earlier_store_has_no_invites_and_takes_new_ones(home: SQLiteHome) -> None:
    make_earlier_store(home, 9, "ann")
    with home.open() as store:
        assert store.administration.invites(0, 9) == []
        sign_up_with(store, "bob", make_invite(store))
        assert [invite.uses for invite in store.administration.invites(0, 9)] == [1]


def test_sessions_of_an_earlier_store_have_no_label_and_block_nobody(home: SQLiteHome) -> None:
    ann = make_earlier_store(home, 7, "ann")
    with home.open() as store:
        sign_up(store, "bob")
        [entry] = store.sessions_of(ann, 0, 9)
        assert (entry.label, entry.kind, entry.is_current) == ("", SessionKind.PERSON, True)
        assert store.blocked_usernames(ann, "", 9) == b""
        store.set_block(ann, "bob", is_blocked=True)
        assert store.blocked_usernames(ann, "", 9) == b"bob"
