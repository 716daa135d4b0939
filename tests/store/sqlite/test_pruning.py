"""Pruning: the rows of a deleted account go away in steps, also after a restart, and nobody else's do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import apsw
import pytest

from chatbooth_grpc.booth.errors import SessionInvalid, StoreFull
from chatbooth_grpc.booth.store import Store, StoredSession
from chatbooth_grpc.store.sqlite.pruning import BYTES_PER_STEP, ROWS_PER_STEP, prune_detached
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction
from tests.contract.stores import SQLiteHome, delete, mailbox, send_texts, sign_up, texts
from tests.store.beside import sqlite
from tests.store.disk_actions import WAL
from tests.store.power_loss import Disk

TABLES = ("mailboxes", "messages", "recent_message_ids", "message_ids")

ROWS_OF_ONE_MESSAGE = {"mailboxes": 1, "messages": 1, "recent_message_ids": 1, "message_ids": 0}


def counts(connection: apsw.Connection) -> dict[str, int]:
    """How many rows each table of the mailboxes has."""
    return {table: connection.execute(f"SELECT count(*) FROM {table}").get for table in TABLES}


def wait_until_pruned(store: Store, session: StoredSession, connection: apsw.Connection) -> None:
    """Send the writer work, behind which pruning takes its turns, until nothing is left to prune."""
    while connection.execute("SELECT count(*) FROM mailboxes WHERE account_id IS NULL").get:
        store.touch_session(session)


def test_nothing_of_a_deleted_mailbox_is_left_and_everything_of_the_others(home: SQLiteHome) -> None:
    with home.open() as store, sqlite(home) as connection:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        send_texts(store, ann, "bob", "to bob")
        send_texts(store, bob, "ann", *(str(number) for number in range(ROWS_PER_STEP * 2 + 1)))
        delete(store, ann)
        wait_until_pruned(store, bob, connection)
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
        wait_until_pruned(store, bob, connection)
        assert counts(connection) == ROWS_OF_ONE_MESSAGE
        assert texts(store, bob) == ["to bob"]


def test_a_step_that_failed_is_not_tried_again_until_it_is_asked_for(
    home: SQLiteHome, disk: Disk, open_on_disk: Callable[[], SQLiteStore]
) -> None:
    """On a full disk, trying at once would only spin; but once there is room, what was left must go."""
    full = Full()
    with ExitStack() as fills, open_on_disk() as store, sqlite(home) as connection:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        send_texts(store, bob, "ann", *(str(number) for number in range(ROWS_PER_STEP + 1)))
        store.touch_session(bob)  # the hint of what was sent is behind us then
        store.watch(lambda _mailboxes: fills.enter_context(disk.before("write", full)))
        delete(store, ann)  # the first step comes behind the hint of this
        assert full.reached.wait(30)
        for _ in range(5):
            with pytest.raises(StoreFull):
                store.touch_session(bob)
        assert full.writes == 1 + 5
        fills.close()
        store.touch_session(bob)
        assert counts(connection)["messages"] == counts(connection)["recent_message_ids"] == ROWS_PER_STEP + 1
        while store.prune_deleted():
            pass
        assert counts(connection) == {"mailboxes": 1, "messages": 0, "recent_message_ids": 0, "message_ids": 0}


class Full:
    """Fails writes to the WAL, counts them, and tells when it first did."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.writes = 0

    def __call__(self, name: str) -> None:
        if name.endswith(WAL):
            self.writes += 1
            self.reached.set()
            raise apsw.FullError


def test_each_step_is_small(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        for _ in range(5):
            send_texts(store, ann, "ann", *["small"] * (ROWS_PER_STEP // 2), "x" * (BYTES_PER_STEP // 2))
    with sqlite(home) as connection:
        connection.execute("DELETE FROM sessions; UPDATE mailboxes SET account_id = NULL; DELETE FROM accounts")
        rows = counts(connection)
        while prune_detached(WriteTransaction(connection)):
            left = counts(connection)
            assert 0 < sum(rows.values()) - sum(left.values()) <= ROWS_PER_STEP
            rows = left
        assert set(rows.values()) == {0}
