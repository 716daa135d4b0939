"""Mailboxes: finding the bounds of a mailbox, and reading its messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

from chatbooth_grpc.booth.errors import CursorPastEnd, SessionInvalid
from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.booth.store import Batch, StoredSession
from chatbooth_grpc.store.sqlite.sql import SQL

# A mailbox's last sequence, the last sequence that retention has removed, and the cursor of one of its sessions.
MailboxBounds = tuple[int, int, int]


def bounds_for(connection: apsw.Connection, session: StoredSession) -> MailboxBounds:
    """Return the bounds of a session's mailbox. Raises SessionInvalid: the session has ended."""
    # No variable may hold the cursor. The traceback of an error would keep it, and with it the snapshot of a reading
    # connection. The next borrower of the connection would then read the old state of the store.
    row: MailboxBounds | None = connection.execute(
        SQL["mailbox_bounds"], (session.session_id, session.mailbox_id)
    ).fetchone()
    if row is None:
        raise SessionInvalid
    return row


def read_after(
    connection: apsw.Connection, session: StoredSession, sequence: int | None, max_messages: int, max_size: int
) -> Batch:
    """Read a session's mailbox as `Store.after` describes. Raises SessionInvalid, CursorPastEnd."""
    with _snapshot(connection):
        last_sequence, removed_through, cursor = bounds_for(connection, session)
        start = cursor if sequence is None else sequence
        if start > last_sequence:
            raise CursorPastEnd(start, last_sequence)
        messages: list[Message] = []
        size = 0
        for row in connection.execute(SQL["messages_after"], (session.mailbox_id, start, max_messages)):
            size += len(row[5])
            if messages and size > max_size:
                break
            messages.append(_message(row))
    return Batch(messages, last_sequence, removed_through, cursor)


@contextmanager
def _snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Let all reads inside the block see the store at one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _message(row: tuple[Any, ...]) -> Message:
    sequence, sender, sender_id, message_id, accept_time, content, kind = row
    return Message(sequence, sender, sender_id, message_id, accept_time, content, kind)
