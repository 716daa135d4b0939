"""The changes and reads of accounts by an administrator, and counts of the whole store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from chatbooth_grpc.booth.admin_store import Statistics, User
from chatbooth_grpc.booth.errors import RecipientNotFound
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.store.sqlite.accounts import hold_name
from chatbooth_grpc.store.sqlite.sql import ADMIN_SQL
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction


class _Account(NamedTuple):
    account_id: int
    mailbox_id: int
    username: str


def read_users(connection: apsw.Connection, usernames: Sequence[str]) -> list[User]:
    """Read accounts as `AdminStore.users` describes."""
    rows = (connection.execute(ADMIN_SQL["user"], (username,)).fetchone() for username in usernames)
    return [_user(*row) for row in rows if row is not None]


def _user(*columns: Any) -> User:
    username, account_id, create_time, used_time, sessions, unacknowledged, is_disabled = columns
    return User(username, account_id, create_time, used_time, sessions, unacknowledged, bool(is_disabled))


def read_statistics(connection: apsw.Connection, path: Path) -> Statistics:
    """Return counts over the store, and the sizes of its files."""
    row = connection.execute(ADMIN_SQL["statistics"]).fetchone()
    # The statement always returns one row.
    assert row is not None  # noqa: S101
    accounts, disabled, sessions, messages, unacknowledged, to_remove, held_names, epoch = row
    return Statistics(
        accounts=accounts,
        disabled=disabled,
        sessions=sessions,
        messages=messages,
        unacknowledged=unacknowledged,
        mailboxes_to_remove=to_remove,
        held_names=held_names,
        schema=connection.pragma("user_version"),
        epoch=epoch,
        file_size=_size(path),
        log_size=_size(Path(f"{path}-wal")),
        free_size=connection.pragma("freelist_count") * connection.pragma("page_size"),
    )


def read_unacknowledged(connection: apsw.Connection) -> int:
    """Count the messages that their recipients have not acknowledged."""
    return int(connection.execute(ADMIN_SQL["unacknowledged"]).get)


def set_disabled(transaction: WriteTransaction, username: str, disabled_time: int | None) -> int:
    """Disable an account, or enable it again with None. Return how many sessions ended. Raises RecipientNotFound."""
    account = _find(transaction, username)
    transaction.execute("set_disabled", {"account_id": account.account_id, "time": disabled_time})
    if disabled_time is None:
        return 0
    return transaction.end_all_sessions(account.account_id, account.mailbox_id)


def set_password(transaction: WriteTransaction, username: str, password_hash: str) -> int:
    """Change a password, end all sessions, and return how many. Raises RecipientNotFound."""
    account = _find(transaction, username)
    transaction.execute("set_password_hash", (password_hash, account.account_id))
    return transaction.end_all_sessions(account.account_id, account.mailbox_id)


def delete_user(transaction: WriteTransaction, username: str, name_hold: float, now: int) -> Removal:
    """Delete an account, and hold its name from the store time `now`. Raises RecipientNotFound."""
    account = _find(transaction, username)
    removal = transaction.delete_account(account.account_id, account.mailbox_id)
    hold_name(transaction, username, name_hold, now)
    return removal


def _find(transaction: WriteTransaction, username: str) -> _Account:
    row = transaction.execute("account_and_mailbox", (username,)).fetchone()
    if row is None:
        raise RecipientNotFound(username)
    return _Account(*row)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
