"""Exports all data about one person, as records for JSON, without any secret."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import apsw

from chatbooth_grpc.booth.errors import RecipientNotFound
from chatbooth_grpc.booth.model import ContentKind
from chatbooth_grpc.store.sqlite.sql import ADMIN_SQL
from chatbooth_grpc.store.sqlite.tokens import PERSON

Record = dict[str, object]


def export(connection: apsw.Connection, username: str) -> Iterator[Record]:
    """Read the records as of one moment. None has a hash, a token or a digest. Raises RecipientNotFound."""
    connection.execute("BEGIN")
    try:
        account = connection.execute(ADMIN_SQL["exported_account"], (username,)).fetchone()
        if account is None:
            raise RecipientNotFound(username)
        yield from _all(connection, *account)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _all(connection: apsw.Connection, username: str, account_id: int, *rest: Any) -> Iterator[Record]:
    create_time, disabled_time, mailbox_id, last, acknowledged, removed = rest
    yield {
        "record": "account",
        "username": username,
        "account_id": account_id,
        "create_time": _text(create_time),
        "disabled_time": None if disabled_time is None else _text(disabled_time),
        "last_sequence": last,
        "acknowledged_through": acknowledged,
        "removed_through": removed,
    }
    for session_id, made, used, cursor, label, *kind in connection.execute(
        ADMIN_SQL["exported_sessions"], (account_id,)
    ):
        times: Record = {"create_time": _text(made), "used_time": _text(used)}
        yield {
            "record": "session",
            "session_id": session_id,
            **times,
            "cursor": cursor,
            "label": label,
            **_limits(*kind),
        }
    for blocked, blocked_id in connection.execute(ADMIN_SQL["exported_blocks"], (mailbox_id,)):
        yield {"record": "block", "username": blocked, "account_id": blocked_id}
    for sequence, sender, sender_id, *message in connection.execute(ADMIN_SQL["exported_received"], (mailbox_id,)):
        origin: Record = {"sequence": sequence, "sender": sender, "sender_id": sender_id}
        yield {"record": "received", **origin, **_message(*message)}
    for recipient, *message in connection.execute(ADMIN_SQL["exported_sent"], (account_id,)):
        yield {"record": "sent", "recipient": recipient, **_message(*message)}
    ids = {"account_id": account_id, "mailbox_id": mailbox_id}
    for is_sent, recipient, sender, *known in connection.execute(ADMIN_SQL["exported_removed"], ids):
        other: Record = {"recipient": recipient} if is_sent else {"sender": sender}
        yield {"record": "sent_id" if is_sent else "received_id", **other, **_identity(*known)}


def _limits(kind: int, may_read: int, may_send: int, *rest: Any) -> Record:
    """Return what a session may do if it is a token for a program."""
    recipient, recipient_id, expire_time = rest
    if kind == PERSON:
        return {}
    return {
        "may_read": bool(may_read),
        "may_send": bool(may_send),
        "recipient": recipient,
        "recipient_id": recipient_id,
        "expire_time": None if expire_time is None else _text(expire_time),
    }


def _message(message_id: bytes, accept_time: int, content: bytes, kind: int) -> Record:
    identity = _identity(message_id, accept_time)
    if kind == ContentKind.TEXT:
        return {**identity, "text": content.decode("utf-8", "replace")}
    return {**identity, "kind": kind, "content": base64.b64encode(content).decode("ascii")}


def _identity(message_id: bytes, accept_time: int) -> Record:
    return {"message_id": message_id.hex(), "accept_time": _text(accept_time)}


def _text(time: int) -> str:
    """Return a time in the form of RFC 3339, in UTC."""
    moment = datetime.fromtimestamp(time / 1_000_000, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
