"""Retention in SQLite: its walk, its second check, and its short transactions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatbooth_grpc.booth.store import RetentionStep
from chatbooth_grpc.store.sqlite import retention
from chatbooth_grpc.store.sqlite.pruning import MESSAGES_PER_STEP
from chatbooth_grpc.store.sqlite.retention import due_mailboxes, remove_from
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction
from tests.contract.racing import race
from tests.contract.stores import (
    SQLiteHome,
    delete,
    log_in,
    new_message,
    retain,
    send,
    send_texts,
    sign_up,
    stamped_from,
    texts,
)
from tests.store.beside import sqlite
from tests.store.disk_actions import Gate
from tests.store.earlier import append_as_before, make_earlier_store
from tests.store.power_loss import Disk

OpenOnDisk = Callable[[], SQLiteStore]


def test_a_walk_looks_only_at_mailboxes_that_hold_something_acknowledged(
    home: SQLiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAILBOXES_PER_STEP", 2)
    with home.open() as store, sqlite(home) as connection:
        accounts = [sign_up(store, f"name{number}") for number in range(20)]
        for account in accounts:
            send_texts(store, account, account.username, "x")
        acknowledged = [accounts[number] for number in (3, 7, 8, 15)]
        for account in acknowledged:
            store.acknowledge(account, 1)
        young, ids = stamped_from(0), [account.mailbox_id for account in acknowledged]
        assert due_mailboxes(connection, young, 0) == ([], ids[1] + 1)
        assert due_mailboxes(connection, None, 0) == (ids[:2], ids[1] + 1)
        assert due_mailboxes(connection, None, ids[1] + 1) == (ids[2:], ids[3] + 1)
        assert due_mailboxes(connection, None, ids[3] + 1) == ([], None)
        assert retain(store, None) == 4
        assert due_mailboxes(connection, None, 0) == ([], None)


@pytest.mark.parametrize("name", ["end_of_walk", "mailboxes_with_old_messages", "mailboxes_acknowledged_by_all"])
def test_a_walk_scans_no_table(home: SQLiteHome, name: str) -> None:
    young = {"first": 0, "last": 1, "others": "[]"} if name == "mailboxes_with_old_messages" else {}
    bindings = (0, 1) if name == "end_of_walk" else {"start": 0, "end": 1, **young}
    with home.open(), sqlite(home) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", bindings)]
    assert any("mailboxes_with_acknowledged" in step for step in plan)
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan if "VIRTUAL TABLE" not in step)


def test_the_transaction_checks_again_the_mailboxes_that_the_walk_found(home: SQLiteHome) -> None:
    with home.open() as store:
        fresh, slow, young, gone = (sign_up(store, name) for name in ("fresh", "slow", "young", "gone"))
        for session in (fresh, slow, young, gone):
            send_texts(store, session, session.username, "x")
        log_in(store, "slow")
        store.acknowledge(slow, 1)
        store.acknowledge(young, 1)
        delete(store, gone)
        while store.prune_deleted():
            pass
    ids = [session.mailbox_id for session in (fresh, slow, young, gone)]
    with sqlite(home) as connection:
        assert remove_from(WriteTransaction(connection), [ids[0], ids[1], ids[3]], None, 99) == RetentionStep(0, 99)
        assert remove_from(
            WriteTransaction(connection), [ids[0], ids[2], ids[3]], stamped_from(home.clock.now), 99
        ) == RetentionStep(0, 99)
        assert connection.execute("SELECT count(*) FROM messages").get == 3
        assert remove_from(WriteTransaction(connection), ids, stamped_from(home.clock.now + 1), 99) == RetentionStep(
            2, 99
        )


def test_an_old_message_after_a_younger_one_waits_for_it(home: SQLiteHome) -> None:
    """The stamps of a clock that was set have any order. Retention may remove only a prefix."""
    with home.open() as store:
        ann = sign_up(store, "ann")
        stamps = []
        for _ in range(3):
            stamps.append(send(store, new_message(ann, "ann")).accept_time)
            home.clock.advance(1)
        store.acknowledge(ann, 3)
    only_second, none = [(stamps[1], stamps[1])], [(stamps[2] + 1, stamps[2] + 1)]
    with sqlite(home) as connection:
        assert remove_from(WriteTransaction(connection), [ann.mailbox_id], only_second, 99) == RetentionStep(1, 99)
        assert remove_from(WriteTransaction(connection), [ann.mailbox_id], only_second, 99) == RetentionStep(0, 99)
        assert remove_from(WriteTransaction(connection), [ann.mailbox_id], none, 99) == RetentionStep(2, 99)


def test_a_full_step_goes_on_in_the_mailbox_where_it_stopped(home: SQLiteHome) -> None:
    with home.open() as store:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        for session, count in ((ann, MESSAGES_PER_STEP - 1), (bob, 2)):
            send_texts(store, session, session.username, *["x"] * count)
            store.acknowledge(session, count)
        assert store.remove_old(None) == RetentionStep(MESSAGES_PER_STEP, bob.mailbox_id)
        step = store.remove_old(None, bob.mailbox_id)
        assert step.removed == 1


def test_a_walk_that_finds_nothing_waits_for_no_writer(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        log_in(store, "ann")
        send_texts(store, ann, "ann", "x")
        store.acknowledge(ann, 1)

        def walk_meanwhile() -> list[int]:
            assert gate.reached.wait(30)
            removed = [retain(store, None), retain(store, 0)]
            gate.open()
            return removed

        with Gate() as gate, disk.before("sync", gate):
            _, removed = race([lambda: send_texts(store, ann, "ann", "y"), walk_meanwhile])
        assert removed == [0, 0]


def test_the_rows_go_and_the_message_ids_stay(home: SQLiteHome) -> None:
    with home.open() as store, sqlite(home) as connection:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", *["x"] * 7)
        store.acknowledge(ann, 5)
        assert retain(store, None) == 5
        tables = ("messages", "recent_message_ids", "message_ids")
        assert [connection.execute(f"SELECT count(*) FROM {table}").get for table in tables] == [2, 2, 5]


def test_mailboxes_of_a_store_from_before_retention_are_found(home: SQLiteHome) -> None:
    ann = make_earlier_store(home, 1, "ann")
    append_as_before(home, ann, [new_message(ann, "ann", text) for text in ("a", "b")])
    with sqlite(home) as connection:
        connection.execute("UPDATE mailboxes SET acknowledged_through = 1")
    with home.open() as store:
        assert retain(store, home.clock.now + 1) == 1
        assert texts(store, ann) == ["b"]
