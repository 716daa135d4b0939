"""On a full or failing disk, callers get errors, and nothing is half stored."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import apsw
import pytest

from chatbooth_grpc.booth.errors import StoreFull, StoreUnavailable
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.store import group_commit
from chatbooth_grpc.store.failures import failed_reading, failed_writing
from chatbooth_grpc.store.sqlite import sqlite_store as sqlite
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.racing import race
from tests.contract.stores import (
    SQLiteHome,
    append,
    is_gap_free,
    mailbox,
    names_of,
    new_message,
    send,
    send_texts,
    sign_up,
    stored_account,
    texts,
)
from tests.store.changes import Change
from tests.store.disk_actions import Failing, Gate
from tests.store.power_loss import Disk, lay_out

OpenOnDisk = Callable[[], SQLiteStore]


@pytest.mark.parametrize("kind", Change.changes)
def test_a_change_that_found_the_disk_full_was_not_made_and_can_be_later(
    kind: type[Change], home: SQLiteHome, disk: Disk, open_on_disk: OpenOnDisk
) -> None:
    change = kind(home.clock)
    with open_on_disk() as store:
        change.prepare(store)
        with disk.before("write", Failing(apsw.SQLITE_FULL)):
            for _ in range(2):
                with pytest.raises(StoreFull):
                    change.make(store)
                assert not change.is_in(store)
        change.make(store)
        assert change.is_in(store)
    with home.open() as store:
        assert change.is_in(store)


@pytest.mark.parametrize("kind", Change.changes)
def test_a_change_whose_sync_failed_is_not_acknowledged_and_can_be_made_later(
    kind: type[Change], home: SQLiteHome, disk: Disk, open_on_disk: OpenOnDisk
) -> None:
    change = kind(home.clock)
    with open_on_disk() as store:
        change.prepare(store)
        with disk.before("sync", Failing(apsw.SQLITE_IOERR_FSYNC)):
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    change.make(store)
        assert not change.is_in(store)
        change.make(store)
        assert change.is_in(store)


def test_reading_goes_on_while_the_disk_is_full(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "before")
        with disk.before("write", Failing(apsw.SQLITE_FULL)):
            with pytest.raises(StoreFull):
                send(store, new_message(ann, "ann"))
            assert texts(store, ann) == ["before"]
            assert names_of(store) == ["ann"]


@pytest.mark.parametrize("code", [apsw.SQLITE_FULL, apsw.SQLITE_IOERR_WRITE])
def test_an_append_that_fails_at_any_write_stores_nothing_and_its_retry_everything_once(
    disk: Disk, open_on_disk: OpenOnDisk, code: int
) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        for write in count():
            news = [new_message(ann, "ann", f"{write} {number}" + "." * 3_000) for number in range(4)]
            before = mailbox(store, ann)
            fault = Failing(code, calls=[write])
            with disk.before("write", fault):
                outcome = race([partial(append, store, news)]).pop()
            if not fault.failed:
                break
            assert type(outcome) is (StoreFull if code == apsw.SQLITE_FULL else StoreUnavailable)
            assert mailbox(store, ann) == before
            first = append(store, news)
            assert append(store, news) == first
            added = mailbox(store, ann)[len(before) :]
            assert [message.message_id for message in added] == [new.outgoing.message_id for new in news]
        assert write > 4, "the append was to need several writes"
        assert is_gap_free(mailbox(store, ann))


@pytest.mark.parametrize("seed", range(10))
def test_a_message_of_unknown_fate_is_stored_once_by_its_retry_after_a_power_loss(
    home: SQLiteHome, disk: Disk, open_on_disk: OpenOnDisk, tmp_path: Path, seed: int
) -> None:
    some_survive = partial(random.Random(seed).choice, [True, False])
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        message = new_message(ann, "ann", "tea?")
        gone = disk.after_power_loss()
        with disk.before("sync", Failing(apsw.SQLITE_IOERR_FSYNC)), pytest.raises(StoreUnavailable):
            send(store, message)
        unsynced = disk.after_power_loss(some_survive)
    for name, image in {"gone": gone, "unsynced": unsynced}.items():
        lay_out(image, tmp_path / name)
        with SQLiteStore(tmp_path / name / home.path.name, clock=home.clock) as survivor:
            assert send(survivor, message) == send(survivor, message)
            assert texts(survivor, ann) == ["tea?"]


def test_all_callers_of_a_failed_commit_get_its_error_and_a_retry_stores_one_message_each(
    disk: Disk, open_on_disk: OpenOnDisk
) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        messages = [new_message(ann, "ann", str(number)) for number in range(16)]
        sends = [partial(send, store, message) for message in messages]
        with disk.before("write", Failing(apsw.SQLITE_FULL)):
            assert all(isinstance(outcome, StoreFull) for outcome in race(sends))
        with disk.before("sync", Failing(apsw.SQLITE_IOERR_FSYNC)):
            assert all(isinstance(outcome, StoreUnavailable) for outcome in race(sends))
        assert mailbox(store, ann) == []
        assert all(isinstance(outcome, Receipt) for outcome in race(sends + sends))
        assert is_gap_free(mailbox(store, ann))
        assert sorted(texts(store, ann)) == sorted(map(str, range(16)))


def test_messages_sent_over_a_flickering_disk_are_stored_once_each(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    flicker = random.Random(7)

    def maybe_fail(_name: str) -> None:
        if _name.endswith("-wal") and flicker.random() < 0.05:
            raise apsw.exception_for(flicker.choice([apsw.SQLITE_FULL, apsw.SQLITE_IOERR_WRITE]))

    with open_on_disk() as store:
        ann = sign_up(store, "ann")

        def send_some(thread: int) -> int:
            retries = 0
            for number in range(15):
                message = new_message(ann, "ann", f"{thread} {number}")
                while True:
                    try:
                        send(store, message)
                        break
                    except (StoreFull, StoreUnavailable):
                        retries += 1
            return retries

        with disk.before("write", maybe_fail), disk.before("sync", maybe_fail):
            retries = race([partial(send_some, thread) for thread in range(4)])
        assert any(retries)
        assert is_gap_free(mailbox(store, ann))
        assert sorted(texts(store, ann)) == sorted(f"{t} {n}" for t in range(4) for n in range(15))


def test_a_read_that_fails_says_so_and_the_next_succeeds(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "hello")
        reads: list[Callable[[], object]] = [
            lambda: stored_account(store, "ann"),
            lambda: mailbox(store, ann),
            lambda: store.usernames("", "", 9),
        ]
        for read in reads:
            fault = Failing(apsw.SQLITE_IOERR_READ, file="")
            with disk.before("read", fault):
                try:
                    read()
                except StoreUnavailable:
                    assert fault.failed
            read()


def test_an_append_that_fails_at_any_read_stores_nothing_and_the_next_succeeds(
    home: SQLiteHome, disk: Disk, open_on_disk: OpenOnDisk
) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", *("." * 3_000 for _ in range(20)))
    for read in count():
        with open_on_disk() as store:
            before = mailbox(store, ann)
            # This waits until the writer has done the work of the opening.
            store.touch_session(ann)
            message = new_message(ann, "ann", str(read))
            fault = Failing(apsw.SQLITE_IOERR_READ, file="", calls=[read])
            with disk.before("read", fault):
                outcome = race([partial(send, store, message)]).pop()
            assert isinstance(outcome, StoreUnavailable if fault.failed else Receipt)
            assert len(mailbox(store, ann)) == len(before) + (not fault.failed)
            send(store, message)
            assert len(mailbox(store, ann)) == len(before) + 1
        if not fault.failed:
            break
    assert read > 1, "the append was to need several reads"


@pytest.mark.parametrize("code", [apsw.SQLITE_FULL, apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_READONLY])
def test_a_disk_that_refuses_many_changes_is_two_lines_in_the_log(
    disk: Disk,
    open_on_disk: OpenOnDisk,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(group_commit, "failed_writing", partial(failed_writing, quiet=0))
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        with disk.before("write", Failing(code)):
            for _ in range(20):
                with pytest.raises((StoreFull, StoreUnavailable)):
                    send(store, new_message(ann, "ann"))
            # This changes nothing, so it says nothing about the disk.
            store.expire_sessions(0, 1)
        begun = [record for record in caplog.records if "cannot be written" in record.getMessage()]
        send(store, new_message(ann, "ann"))
        send(store, new_message(ann, "ann"))
    [begin, end] = caplog.records
    assert begun == [begin]
    assert not begin.exc_info
    assert end.getMessage() == "the store can be written again"
    assert vars(end)["refused"] == 20


def test_a_store_that_cannot_be_read_is_two_lines_in_the_log(
    home: SQLiteHome,
    disk: Disk,
    open_on_disk: OpenOnDisk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sqlite, "failed_reading", partial(failed_reading, quiet=0))
    with open_on_disk() as store:
        sign_up(store, "ann")
    with open_on_disk() as store:
        with disk.before("read", Failing(apsw.SQLITE_IOERR_READ, file="")):
            for _ in range(20):
                with pytest.raises(StoreUnavailable):
                    store.account("ann")
        assert store.account("ann")
    [begin, end] = [record for record in caplog.records if " be read" in record.getMessage()]
    assert not begin.exc_info
    assert vars(end)["refused"] == 20


def test_a_disk_that_does_not_answer_is_one_line_in_the_log(
    disk: Disk,
    open_on_disk: OpenOnDisk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(group_commit, "_SLOW_DISK", 0.01)
    monkeypatch.setattr(group_commit, "_OVERDUE_CHECK", 0.01)
    logged = threading.Event()
    with open_on_disk() as store, Gate() as gate:
        ann = sign_up(store, "ann")
        with disk.before("sync", gate):
            store.append_later([new_message(ann, "ann")], lambda _outcomes: logged.set())
            assert gate.reached.wait(20)
            while "does not answer" not in str([vars(record).get("cause") for record in caplog.records]):
                logged.wait(0.01)
            gate.open()
            assert logged.wait(20)
    assert len(caplog.records) == 1
