"""Each way in which a store can break its invariants is found, and named for what it is."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.admin_store import Finding
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.store.sqlite.checking import CHECKS, check
from tests.contract.stores import (
    SQLiteHome,
    delete,
    make_invite,
    new_token_hash,
    retain,
    send_texts,
    sign_up,
    sign_up_with,
)
from tests.store.beside import sqlite

BREAKS = {
    "store": "INSERT INTO store (epoch) SELECT epoch FROM store",
    "accounts": "INSERT INTO accounts (username, password_hash, create_time) VALUES ('lost', '', 0)",
    "counters": "UPDATE mailboxes SET acknowledged_through = 0 WHERE removed_through > 0",
    "sequences": "DELETE FROM messages WHERE mailbox_id = 2 AND sequence = 3",
    "detached_sequences": "DELETE FROM messages WHERE mailbox_id = 3 AND sequence = 2",
    "message_ids": "DELETE FROM recent_message_ids WHERE message_id = "
    "(SELECT message_id FROM messages WHERE mailbox_id = 2 LIMIT 1)",
    "id_counts": "DELETE FROM message_ids WHERE mailbox_id = 1",
    "cursors": "UPDATE sessions SET cursor = 1000 WHERE account_id = 2",
    "disabled": "UPDATE accounts SET disabled_time = 1 WHERE username = 'ann'",
    "orphans": "INSERT INTO recent_message_ids SELECT randomblob(16), 99, 1, randomblob(16), 0",
    "held_names": "INSERT INTO held_names (username, free_time) VALUES ('ann', 1)",
    "blocks": "INSERT INTO blocks (mailbox_id, sender_id) VALUES (1, 99)",
    "invites": "UPDATE invites SET uses = 3",
    "tokens": "UPDATE sessions SET may_read = 0 WHERE label = 'bot'",
    "reference": "INSERT INTO sessions (account_id, token_hash, cursor, create_time, used_time) "
    "VALUES (77, randomblob(32), 0, 0, 0)",
}
"""How the store is broken, by the name of the check that finds it."""

ALSO = {"counters": {"cursors"}, "message_ids": {"id_counts"}}
"""Other checks that find the same, from another side."""


def make_store(home: SQLiteHome) -> None:
    """Make a store that has something of each kind."""
    with home.open() as store:
        ann, bob, carol = sign_up(store, "ann"), sign_up(store, "bob"), sign_up(store, "carol")
        send_texts(store, bob, "ann", "one", "two", "three")
        store.acknowledge(ann, 2)
        assert retain(store, None) == 2
        send_texts(store, ann, "bob", "one", "two", "three", "four")
        send_texts(store, ann, "carol", "one", "two", "three")
        delete(store, carol)
        store.create_token(ann, new_token_hash(), "bot", TokenLimits(may_read=True), 60)
        store.create_token(ann, new_token_hash(), "alerts", TokenLimits(may_send=True, recipient="bob"), 0)
        sign_up_with(store, "dan", make_invite(store, max_uses=2))


def findings(home: SQLiteHome) -> set[str]:
    """The names of what a check finds."""
    with sqlite(home) as connection:
        found = [item for item in check(connection) if isinstance(item, Finding)]
        assert not connection.in_transaction
        assert all(item.words and "{}" not in item.words for item in found)
        return {item.check for item in found}


@pytest.mark.parametrize(
    "change",
    [
        *("may_read = 0 WHERE kind = 1 AND account_id = 1", "may_send = 0 WHERE kind = 1 AND account_id = 1"),
        *("recipient_id = 1 WHERE kind = 1", "expire_time = 1 WHERE kind = 1"),
        *("label = '' WHERE label = 'bot'", "recipient_id = 1 WHERE label = 'bot'"),
    ],
)
def test_limits_that_do_not_fit_are_found(home: SQLiteHome, change: str) -> None:
    make_store(home)
    with sqlite(home) as connection:
        connection.execute(f"UPDATE sessions SET {change}").fetchall()  # the test's own words
    assert findings(home) == {"tokens"}


def test_a_sound_store_has_no_findings(home: SQLiteHome) -> None:
    make_store(home)
    assert findings(home) == set()


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_found(home: SQLiteHome, name: str) -> None:
    make_store(home)
    with sqlite(home) as connection:
        connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").fetchall()
        connection.execute(BREAKS[name]).fetchall()
        assert connection.changes() == 1 or name == "id_counts"
    assert {name} <= findings(home) <= {name} | ALSO.get(name, set())


@pytest.mark.parametrize(
    ("mailbox", "account", "is_possible"), [(2, 1, True), (2, 3, True), (2, 2, False), (3, 1, False)]
)
def test_an_account_may_block_others_even_if_they_are_deleted(
    home: SQLiteHome, mailbox: int, account: int, *, is_possible: bool
) -> None:
    """The second account is bob, and the third one, carol, is deleted."""
    make_store(home)
    with sqlite(home) as connection:
        connection.execute("INSERT INTO blocks (mailbox_id, sender_id) VALUES (?, ?)", (mailbox, account))
    assert findings(home) == (set() if is_possible else {"blocks"})


def test_each_check_has_a_break() -> None:
    assert {each.statement.removeprefix("check_") for each in CHECKS} | {"reference"} == set(BREAKS)


def test_a_damaged_file_is_found(home: SQLiteHome) -> None:
    make_store(home)
    content = bytearray(home.path.read_bytes())
    content[3 * 4096 + 8 : 5 * 4096] = bytes(2 * 4096 - 8)
    home.path.write_bytes(content)
    assert "file" in findings(home)
