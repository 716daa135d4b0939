"""A change's transaction notes the sessions and accounts that it touches."""

from __future__ import annotations

from collections.abc import Callable

import apsw
import apsw.ext
import pytest

from chatbooth_grpc.booth.errors import CursorPastEnd, SessionInvalid
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.write_transaction import TOUCHING, WriteTransaction
from tests.contract.stores import SQLiteHome, log_in, send_texts, sign_up
from tests.store.beside import sqlite

DELETES = {"sessions", "accounts"}
UPDATES = {
    *(("sessions", column) for column in ("account_id", "token_hash", "cursor", "create_time", "used_time")),
    *(("sessions", column) for column in ("kind", "may_read", "may_send", "recipient_id", "expire_time")),
    *(("mailboxes", "account_id"), ("accounts", "username")),
}


def touches(connection: apsw.Connection, statement: str) -> bool:
    """Ask SQLite whether a statement changes a session, an account or a block that others may have cached."""
    actions = apsw.ext.query_info(connection, statement, actions=True).actions or []
    return any(
        (action.action_name == "SQLITE_DELETE" and action.table_name in DELETES)
        or (action.action_name == "SQLITE_INSERT" and action.table_name == "blocks")
        or (action.action_name == "SQLITE_UPDATE" and (action.table_name, action.column_name) in UPDATES)
        for action in actions
    )


def test_the_statements_that_touch_sessions_and_accounts_are_the_transactions_own(home: SQLiteHome) -> None:
    home.open().close()
    with sqlite(home) as connection:
        found = {name for name, text in SQL.items() if touches(connection, text)}
    # The clock runs that one once in a store's life, before anything is cached.
    assert found == TOUCHING | {"bound_used_times"}


def test_a_statement_that_touches_a_session_is_found(home: SQLiteHome) -> None:
    home.open().close()
    with sqlite(home) as connection:
        assert touches(connection, "DELETE FROM sessions WHERE used_time < 5")
        assert touches(connection, "UPDATE mailboxes SET account_id = NULL")
        assert touches(connection, "INSERT INTO blocks VALUES (1, 2)")
        assert not touches(connection, "UPDATE mailboxes SET removed_through = 5")


@pytest.mark.parametrize("name", sorted(TOUCHING))
def test_a_change_cannot_run_them_itself(name: str) -> None:
    with apsw.Connection(":memory:") as connection:
        transaction = WriteTransaction(connection)
        with pytest.raises(KeyError):
            transaction.execute(name)
        with pytest.raises(KeyError):
            transaction.write(name)


def test_each_change_of_sessions_notes_the_sessions_that_it_touches(home: SQLiteHome) -> None:
    with home.open() as store:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        send_texts(store, ann, "bob", "hello")
        log_in(store, "bob")
    forgotten: list[str] = []

    def advance(transaction: WriteTransaction) -> None:
        transaction.begin_change(bob)
        transaction.advance_cursor(bob, 1)

    changes: dict[str, tuple[Callable[[WriteTransaction], object], bool, set[int]]] = {
        "touch": (lambda transaction: transaction.touch_session(bob, 1), True, set()),
        "advance": (advance, False, {bob.mailbox_id}),
        "end others": (lambda transaction: transaction.end_other_sessions(bob), True, {bob.mailbox_id}),
        "end": (lambda transaction: transaction.end_session(bob.session_id, bob.mailbox_id), True, {bob.mailbox_id}),
        "end all": (lambda t: t.end_all_sessions(ann.account_id, ann.mailbox_id), True, {ann.mailbox_id}),
        "delete": (lambda t: t.delete_account(ann.account_id, ann.mailbox_id), True, {ann.mailbox_id}),
    }
    with sqlite(home) as connection:
        for name, (change, outdates, changed) in changes.items():
            transaction = WriteTransaction(connection, lambda name=name: forgotten.append(name))  # type: ignore[misc]
            change(transaction)
            assert (transaction.outdates_sessions, transaction.changed) == (outdates, changed), name
            assert transaction.ends_accounts == (name == "delete")
        blocking: list[str] = []
        WriteTransaction(connection, note_blocking=blocking.append).block(ann, bob.account_id)
    assert blocking == ["ann"]
    assert forgotten == ["end others", "end", "end all", "delete"]


def test_a_change_for_a_session_that_has_ended_does_not_begin(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
    with sqlite(home) as connection:
        transaction = WriteTransaction(connection)
        transaction.begin_change(ann)
        with pytest.raises(CursorPastEnd):
            transaction.advance_cursor(ann, 1)
        transaction.end_session(ann.session_id, ann.mailbox_id)
        with pytest.raises(SessionInvalid):
            transaction.begin_change(ann)
