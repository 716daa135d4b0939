"""A store's file as earlier versions of its schema left it."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.store.sqlite.opening import APPLICATION_ID
from chatbooth_grpc.store.sqlite.sql import load_migrations, load_statements
from tests.contract.stores import SQLiteHome, new_token_hash

_SESSION = """SELECT session_id, account_id, username, mailbox_id, cursor, used_time
  FROM sessions JOIN accounts USING (account_id) JOIN mailboxes USING (account_id) WHERE token_hash = ?"""


def make_earlier_store(home: SQLiteHome, migrations: int, username: str) -> StoredSession:
    """Make a store by the first `migrations` migrations, and an account in it."""
    connection = apsw.Connection(str(home.path))
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    for number, script in load_migrations()[:migrations]:
        connection.execute(script).fetchall()
        connection.pragma("user_version", number)
    connection.pragma("application_id", APPLICATION_ID)
    sql = load_statements("sqlite.sql")
    account_id = connection.execute(sql["insert_account"], (username, "", home.clock())).get
    connection.execute(sql["insert_mailbox"], (account_id,))
    token_hash = new_token_hash()
    times = {"create_time": home.clock(), "used_time": home.clock()}
    connection.execute(sql["insert_session"], {"account_id": account_id, "token_hash": token_hash, **times})
    session = StoredSession(*connection.execute(_SESSION, (token_hash,)).get)
    connection.close()
    return session


def append_as_before(home: SQLiteHome, session: StoredSession, messages: Sequence[NewMessage]) -> None:
    """Append to the session's own mailbox as the program of the first two migrations did."""
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
