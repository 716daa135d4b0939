"""A store's file as earlier versions of its schema left it."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import pytest

from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.store import opening
from chatbooth_grpc.store.sql import load_migrations
from tests.contract.stores import SQLiteHome, sign_up


def make_earlier_store(home: SQLiteHome, migrations: int, username: str) -> StoredSession:
    """Make a store by only so many migrations, and an account in it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(opening, "load_migrations", lambda: load_migrations()[:migrations])
        with home.open() as store:
            return sign_up(store, username)


def append_as_before(home: SQLiteHome, session: StoredSession, messages: Sequence[NewMessage]) -> None:
    """Append to the session's own mailbox what the first two migrations' program did: all ids go to message_ids."""
    connection = apsw.Connection(str(home.path))
    for sequence, (_, outgoing, digest, _) in enumerate(messages, start=1):
        who = (session.account_id, session.username)
        connection.execute(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (session.mailbox_id, sequence, *who, outgoing.message_id, home.clock(), outgoing.kind, outgoing.content),
        )
        connection.execute(
            "INSERT INTO message_ids VALUES (?, ?, ?, ?, ?)",
            (session.mailbox_id, session.account_id, outgoing.message_id, digest, home.clock()),
        )
    connection.execute("UPDATE mailboxes SET last_sequence = ?", (len(messages),))
    connection.close()
