"""Pruning removes the rows of deleted accounts in steps, and no other rows."""

from __future__ import annotations

from collections.abc import Callable

import apsw
import pytest

from chatbooth_grpc.booth.errors import SessionInvalid, StoreFull
from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.store.sqlite.pruning import BYTES_PER_STEP, ROWS_PER_STEP
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import SQLiteHome, delete, log_in, mailbox, send_texts, sign_up, texts
from tests.store.beside import sqlite
from tests.store.disk_actions import Failing
from tests.store.power_loss import Disk

TABLES = ("mailboxes", "messages", "recent_message_ids", "message_ids")

ROWS_OF_ONE_MESSAGE = {"mailboxes": 1, "messages": 1, "recent_message_ids": 1, "message_ids": 0}


def counts(connection: apsw.Connection) -> dict[str, int]:
    """Return how many rows each table of the mailboxes has."""
    return {table: connection.execute(f"SELECT count(*) FROM {table}").get for table in TABLES}


def prune(store: Store) -> None:
    """Prune until nothing is left, as the reaper does."""
    while store.prune_deleted():
        pass


def test_nothing_of_a_deleted_mailbox_is_left_and_everything_of_the_others(home: SQLiteHome) -> None:
    with home.open() as store, sqlite(home) as connection:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        send_texts(store, ann, "bob", "to bob")
        send_texts(store, bob, "ann", *(str(number) for number in range(ROWS_PER_STEP * 2 + 1)))
        delete(store, ann)
        prune(store)
        assert counts(connection) == ROWS_OF_ONE_MESSAGE
        assert texts(store, bob) == ["to bob"]


def test_pruning_is_taken_up_again_after_a_restart(home: SQLiteHome) -> None:
    with home.open() as store:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        send_texts(store, bob, "ann", *(str(number) for number in range(ROWS_PER_STEP + 1)))
        send_texts(store, ann, "bob", "to bob")
    with sqlite(home) as connection:
        connection.execute("DELETE FROM sessions WHERE account_id = ?", (ann.account_id,))
        connection.execute("UPDATE mailboxes SET account_id = NULL WHERE account_id = ?", (ann.account_id,))
        connection.execute("DELETE FROM accounts WHERE account_id = ?", (ann.account_id,))
        assert counts(connection)["messages"] == ROWS_PER_STEP + 2
    with home.open() as store, sqlite(home) as connection:
        with pytest.raises(SessionInvalid):
            mailbox(store, ann)
        prune(store)
        assert counts(connection) == ROWS_OF_ONE_MESSAGE
        assert texts(store, bob) == ["to bob"]


def test_a_store_never_prunes_by_itself(home: SQLiteHome) -> None:
    with home.open() as store:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        send_texts(store, bob, "ann", "to ann")
        delete(store, ann)
        store.touch_session(bob)
    with home.open() as store, sqlite(home) as connection:
        store.touch_session(bob)
        assert counts(connection) == {"mailboxes": 2, "messages": 1, "recent_message_ids": 1, "message_ids": 0}


def test_a_step_that_failed_is_undone_and_can_be_taken_again(
    home: SQLiteHome, disk: Disk, open_on_disk: Callable[[], SQLiteStore]
) -> None:
    with open_on_disk() as store, sqlite(home) as connection:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        send_texts(store, bob, "ann", *(str(number) for number in range(ROWS_PER_STEP + 1)))
        delete(store, ann)
        with disk.before("write", Failing(apsw.SQLITE_FULL)), pytest.raises(StoreFull):
            store.prune_deleted()
        assert counts(connection)["messages"] == counts(connection)["recent_message_ids"] == ROWS_PER_STEP + 1
        prune(store)
        assert counts(connection) == {"mailboxes": 1, "messages": 0, "recent_message_ids": 0, "message_ids": 0}


def test_each_step_is_small(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        for _ in range(5):
            send_texts(store, ann, "ann", *["small"] * (ROWS_PER_STEP // 2), "x" * (BYTES_PER_STEP // 2))
    with home.open() as store, sqlite(home) as connection:
        delete(store, log_in(store, "ann"))
        rows = counts(connection)
        while store.prune_deleted():
            left = counts(connection)
            assert 0 < sum(rows.values()) - sum(left.values()) <= ROWS_PER_STEP
            rows = left
        assert set(rows.values()) == {0}
