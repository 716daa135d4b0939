"""Message ids are in two tables of SQLite. In both they make a repeat one message."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import MessageIdReused
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import SQLiteHome, append, delete, new_message, retain, send, sign_up, texts
from tests.store.beside import sqlite
from tests.store.earlier import append_as_before, make_earlier_store

BEFORE = 2
"""Migrations of a store that had only message_ids."""


def ids_in(home: SQLiteHome) -> tuple[int, int]:
    """Return how many ids are in the table of recent ones, and how many in the other."""
    with sqlite(home) as connection:
        tables = ("recent_message_ids", "message_ids")
        recent, kept = (connection.execute(f"SELECT count(*) FROM {table}").get for table in tables)
        return recent, kept


def check_made_once(store: SQLiteStore, session: StoredSession, message_id: bytes, receipt: Receipt) -> None:
    """Repeat a message with the text "hello" to oneself, alone and among others. Then reuse its id."""
    repeat = new_message(session, session.username, "hello", message_id)
    before = texts(store, session)
    assert send(store, repeat) == receipt
    assert append(store, [new_message(session, session.username, "other"), repeat])[1] == receipt
    with pytest.raises(MessageIdReused):
        send(store, new_message(session, session.username, "goodbye", message_id))
    assert texts(store, session) == [*before, "other"]


def test_an_id_from_before_the_recent_ones_had_a_table(home: SQLiteHome) -> None:
    ann = make_earlier_store(home, BEFORE, "ann")
    old = new_message(ann, "ann", "hello")
    append_as_before(home, ann, [old])
    accepted = Receipt(home.clock())
    home.clock.advance(10)
    with home.open() as store:
        check_made_once(store, ann, old.outgoing.message_id, accepted)
    assert ids_in(home) == (1, 1)


def test_an_id_whose_message_retention_has_removed(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        message = new_message(ann, "ann", "hello")
        accepted = send(store, message)
        store.acknowledge(ann, 1)
        home.clock.advance(10)
        assert retain(store, None) == 1
        assert ids_in(home) == (0, 1)
        check_made_once(store, ann, message.outgoing.message_id, accepted)
    assert ids_in(home) == (1, 1)


def test_ids_from_before_are_left_where_they_are_by_retention(home: SQLiteHome) -> None:
    ann = make_earlier_store(home, BEFORE, "ann")
    old = [new_message(ann, "ann", "hello") for _ in range(3)]
    append_as_before(home, ann, old)
    accepted = Receipt(home.clock())
    with home.open() as store:
        send(store, new_message(ann, "ann", "new"))
        store.acknowledge(ann, 4)
        assert retain(store, None) == 4
        check_made_once(store, ann, old[0].outgoing.message_id, accepted)
    assert ids_in(home) == (1, 4)


def test_a_deleted_mailbox_leaves_none_in_either_table(home: SQLiteHome) -> None:
    ann = make_earlier_store(home, BEFORE, "ann")
    append_as_before(home, ann, [new_message(ann, "ann", "hello") for _ in range(3)])
    with home.open() as store:
        bob = sign_up(store, "bob")
        send(store, new_message(ann, "ann", "new"))
        send(store, new_message(ann, "bob", "to bob"))
        store.acknowledge(ann, 1)
        assert retain(store, None) == 1
        delete(store, ann)
        while store.prune_deleted():
            pass
        assert texts(store, bob) == ["to bob"]
    assert ids_in(home) == (1, 0)


@pytest.mark.parametrize(
    ("name", "bindings"),
    [
        ("accepted_message", (1, 1, bytes(16))),
        ("keep_message_ids_through", (1, 1)),
        ("delete_recent_message_ids_through", (1, 1)),
    ],
)
def test_ids_are_found_without_a_scan(home: SQLiteHome, name: str, bindings: tuple[object, ...]) -> None:
    with home.open(), sqlite(home) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", bindings)]
    assert any("recent" in step for step in plan)
    assert not any("SCAN" in step for step in plan)
