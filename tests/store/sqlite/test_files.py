"""A store without its files accepts nothing, and continues when they are back."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatbooth_grpc.booth.errors import StoreUnavailable
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.store.sqlite import checkpoints, files
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import (
    SQLiteHome,
    names_of,
    new_message,
    new_token_hash,
    send,
    send_texts,
    sign_up,
    stored_account,
    texts,
)
from tests.store.beside import sqlite
from tests.store.power_loss import Disk
from tests.store.refused import refusal_to_open
from tests.store.taking_away import TAKES, Take, log_of, remove_log, rename_file, replace_both, replace_log

PATIENCE = 30.0
every_take = pytest.mark.parametrize("take", TAKES, ids=lambda take: take.__name__)


class Availability:
    """The availability that a store announces, in order."""

    def __init__(self, store: SQLiteStore) -> None:
        self._said: queue.SimpleQueue[bool] = queue.SimpleQueue()
        store.watch_availability(self._said.put)

    def next(self) -> bool:
        """Wait for the next announcement and return it."""
        return self._said.get(timeout=PATIENCE)

    @property
    def is_silent(self) -> bool:
        return self._said.empty()


@pytest.fixture
def only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the thread that looks for the files, so that only calls look."""
    monkeypatch.setattr(files, "CHECK_INTERVAL", 3_600)


@contextmanager
def store_of_ann(home: SQLiteHome) -> Iterator[tuple[SQLiteStore, StoredSession]]:
    """An open store in which ann has a message."""
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "before")
        yield store, ann


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of the log about the files."""
    return [record.levelname for record in caplog.records if record.name == files.__name__]


@every_take
@pytest.mark.usefixtures("only_when_asked")
def test_nothing_is_accepted_once_the_files_are_gone(
    home: SQLiteHome, take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    with store_of_ann(home) as (store, ann):
        account = stored_account(store, "ann")
        availability = Availability(store)
        take(home.path)
        calls: list[Callable[[], object]] = [
            lambda: send(store, new_message(ann, "ann")),
            lambda: sign_up(store, "bob"),
            lambda: store.change_password(ann, account, "new"),
            lambda: store.create_session(account, new_token_hash()),
            lambda: store.touch_session(ann),
            lambda: store.acknowledge(ann, 1),
            lambda: store.end_session(ann),
            lambda: store.delete_account(ann, account, 0),
            lambda: store.remove_old(None),
            lambda: store.after(ann, 0, 1, 1),
            lambda: store.account("ann"),
            lambda: store.session(new_token_hash()),
            lambda: names_of(store),
        ]
        for call in calls:
            with pytest.raises(StoreUnavailable):
                call()
        assert availability.next() is False
        assert availability.is_silent
        assert lines_of(caplog) == ["ERROR"]


@every_take
def test_an_idle_store_notices_by_itself(home: SQLiteHome, take: Take, caplog: pytest.LogCaptureFixture) -> None:
    with store_of_ann(home) as (store, ann):
        availability = Availability(store)
        undo = take(home.path)
        assert availability.next() is False
        with pytest.raises(StoreUnavailable):
            store.after(ann, 0, 1, 1)
        if undo is not None:
            undo()
            assert availability.next() is True
            send_texts(store, ann, "ann", "after")
            assert texts(store, ann) == ["before", "after"]
            assert lines_of(caplog) == ["ERROR", "WARNING"]
    if undo is not None:
        with home.open() as store:
            assert texts(store, ann) == ["before", "after"]


@every_take
@pytest.mark.usefixtures("only_when_asked")
def test_a_commit_is_not_acknowledged_if_the_files_went_before_it_ended(
    home: SQLiteHome, disk: Disk, open_on_disk: Callable[[], SQLiteStore], take: Take
) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        with disk.before("sync", lambda _name: take(home.path) and None), pytest.raises(StoreUnavailable):
            send(store, new_message(ann, "ann"))
        assert not store._files.check()


@pytest.mark.usefixtures("only_when_asked")
def test_a_sender_finds_the_files_back_before_anyone_has_looked(home: SQLiteHome) -> None:
    with store_of_ann(home) as (store, ann):
        message = new_message(ann, "ann", "after")
        undo = rename_file(home.path)
        with pytest.raises(StoreUnavailable):
            send(store, message)
        undo()
        send(store, message)
        assert texts(store, ann) == ["before", "after"], "and the repeat is one message"


@pytest.mark.usefixtures("only_when_asked")
def test_a_new_reader_never_opens_another_file_in_the_place_of_the_store(home: SQLiteHome) -> None:
    # The next call needs another reader.
    with store_of_ann(home) as (store, _), store._readers.lend():
        replace_both(home.path)
        with pytest.raises(StoreUnavailable):
            store.account("ann")


def test_a_late_watcher_is_called_at_once(home: SQLiteHome) -> None:
    with store_of_ann(home) as (store, _):
        first = Availability(store)
        rename_file(home.path)
        assert first.next() is False
        late = Availability(store)
        assert not late.is_silent
        assert late.next() is False


@pytest.mark.parametrize("take", [remove_log, replace_log], ids=["removed", "replaced"])
def test_acknowledged_messages_are_in_the_file_after_its_log_was_lost(home: SQLiteHome, take: Take) -> None:
    with store_of_ann(home) as (store, ann):
        take(home.path)
        with pytest.raises(StoreUnavailable):
            send(store, new_message(ann, "ann", "refused"))
    with home.open() as store:
        assert texts(store, ann)[:1] == ["before"]


def test_the_store_leaves_files_alone_that_have_taken_the_place_of_its_own(home: SQLiteHome, tmp_path: Path) -> None:
    """SQLite removes the log by its name when it closes a store."""
    with store_of_ann(home) as (_, ann):
        replace_both(home.path)
        there = {path: path.read_bytes() for path in (home.path, log_of(home.path))}
    assert {path: path.read_bytes() for path in there} == there
    shutil.copytree(home.path.parent, tmp_path / "copy")
    with SQLiteStore(tmp_path / "copy" / home.path.name) as store:
        assert texts(store, ann) == ["before"]


def overwrite(path: Path, copy: Path) -> None:
    """Write a copy into the existing file, as cp does."""
    shutil.copyfile(copy, path)


@pytest.mark.parametrize("runs", [True, False], ids=["of this run", "of a run before"])
def test_a_file_that_is_overwritten_is_noticed_and_the_log_kept_out_of_it(
    home: SQLiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", 50)
    with store_of_ann(home) as (store, ann):
        pass
    if not runs:
        shutil.copy(home.path, tmp_path / "copy.db")
    store = home.open()
    if runs:
        shutil.copy(home.path, tmp_path / "copy.db")
    for number in range(60):
        send_texts(store, ann, "ann", str(number) * 3_000)
    availability = Availability(store)
    overwrite(home.path, tmp_path / "copy.db")
    assert availability.next() is False
    with pytest.raises(StoreUnavailable):
        send(store, new_message(ann, "ann"))
    with pytest.raises(StoreUnavailable):
        store.after(ann, 0, 1, 1)
    before = {path: path.read_bytes() for path in (home.path, log_of(home.path))}
    store.close()
    assert availability.is_silent
    assert {path: path.read_bytes() for path in before} == before
    assert "do not belong together" in refusal_to_open(home.path)


def test_a_change_of_the_file_that_keeps_its_content_is_no_harm(
    home: SQLiteHome, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()
    look_inside = files.StoreFiles.look_inside

    def look(*arguments: Any) -> None:
        look_inside(*arguments)
        looked.set()

    monkeypatch.setattr(files.StoreFiles, "look_inside", look)
    with store_of_ann(home) as (store, ann):

        def change(by: Callable[[], object]) -> None:
            looked.clear()
            by()
            assert looked.wait(PATIENCE)
            send_texts(store, ann, "ann", "after")

        with sqlite(home) as connection:
            change(lambda: connection.pragma("wal_checkpoint"))
        change(home.path.touch)
        copy = home.path.read_bytes()
        change(lambda: home.path.write_bytes(copy))
        monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", 1)
        for number in range(20):
            send_texts(store, ann, "ann", str(number) * 3_000)
        monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", 4_000)
        send_texts(store, ann, "ann", "after the last checkpoint")
        change(home.path.touch)
        assert texts(store, ann)[:4] == ["before", "after", "after", "after"]
    assert lines_of(caplog) == []
    with home.open() as store:
        assert len(texts(store, ann)) == 26
