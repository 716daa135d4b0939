"""An export has whatever the store holds about a person: each table is considered."""

from __future__ import annotations

from tests.contract.stores import SQLiteHome
from tests.store.beside import sqlite

EXPORTED = {"accounts", "blocks", "mailboxes", "messages", "message_ids", "recent_message_ids", "sessions"}
"""Tables whose rows about a person are in the export."""

ABOUT_NOBODY = {"store", "invites"}
"""Tables that name nobody. An invite does not say who has used it."""

ABOUT_THE_DELETED = {"held_names"}
"""The names of deleted accounts, about which there is no export."""


def test_each_table_is_exported_or_has_nothing_about_a_person(home: SQLiteHome) -> None:
    home.open().close()
    with sqlite(home) as connection:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        tables = {str(name) for (name,) in rows}
    # For a new table, add its records to store/sqlite/exporting.py, and its invariants to store/sqlite/checking.py.
    assert tables == EXPORTED | ABOUT_NOBODY | ABOUT_THE_DELETED
