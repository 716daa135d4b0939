"""Sessions: finding one, opening one, and ending those that nobody uses."""

from __future__ import annotations

from typing import Any

import apsw

from chatbooth_grpc.booth.errors import SessionInvalid, SessionNotFound, WrongCredentials
from chatbooth_grpc.booth.model import SessionEntry, SessionKind
from chatbooth_grpc.booth.store import MAX_SESSIONS, StoredAccount, StoredSession
from chatbooth_grpc.store.sqlite.accounts import has_hash, insert_account
from chatbooth_grpc.store.sqlite.invites import use_invite
from chatbooth_grpc.store.sqlite.mailboxes import bounds_for
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.store_part import StorePart
from chatbooth_grpc.store.sqlite.tokens import PERSON, limits_of_row, session_of_row
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

# SQLite has no larger numbers, so no session has one.
_MAX_ID = (1 << 63) - 1


def find_session(connection: apsw.Connection, token_hash: bytes) -> StoredSession | None:
    """Find a live session by the hash of its token."""
    return _session_in(connection.execute(SQL["session_by_token"], (token_hash,)))


def open_session(
    transaction: WriteTransaction,
    account: StoredAccount,
    token_hash: bytes,
    create_time: int,
    now: int,
    *,
    label: str = "",
) -> StoredSession:
    """Open a session of an account, or return the one that has this token already.

    Raises WrongCredentials: the account is gone or disabled, or its hash is no longer `account`'s.
    SessionInvalid: a session of another account, or a token for programs, has this token.
    """
    if not has_hash(transaction, account):
        raise WrongCredentials
    session = _session_in(transaction.execute("session_by_token", (token_hash,)))
    if session is None or session.account_id != account.account_id or session.limits is not None:
        opened = insert_session(transaction, account.account_id, token_hash, create_time, now, label=label)
        _end_surplus(transaction, account.account_id)
        return opened
    transaction.touch_session(session, now)
    return session


def _end_surplus(transaction: WriteTransaction, account_id: int) -> None:
    """End the sessions of an account that were not used for longest, if it has too many."""
    surplus: list[Any] = transaction.execute("surplus_sessions", (account_id, MAX_SESSIONS)).fetchall()
    for session_id, mailbox_id in surplus:
        transaction.end_session(session_id, mailbox_id)


def insert_session(
    transaction: WriteTransaction, account_id: int, token_hash: bytes, create_time: int, now: int, *, label: str = ""
) -> StoredSession:
    """Write a new session of an account that exists. Raises SessionInvalid: another session has this token.

    `create_time` is the time of day, and `now` the store's time, both in microseconds.
    """
    if _session_in(transaction.execute("session_by_token", (token_hash,))) is not None:
        raise SessionInvalid("IN_USE")
    times = {"create_time": create_time, "used_time": now}
    transaction.execute("insert_session", {"account_id": account_id, "token_hash": token_hash, **times})
    session = _session_in(transaction.execute("session_by_token", (token_hash,)))
    if session is None:
        raise WrongCredentials
    transaction.execute("set_session_label", (label, session.session_id))
    return session


def list_sessions(connection: apsw.Connection, session: StoredSession, after: int, limit: int) -> list[SessionEntry]:
    """Read sessions as `Store.sessions_of` describes."""
    bounds_for(connection, session)
    rows: list[Any] = connection.execute(SQL["sessions_of_account"], (session.account_id, after, limit)).fetchall()
    return [_entry(row, session) for row in rows]


def _entry(row: Any, asking: StoredSession) -> SessionEntry:
    session_id, label, kind, create_time, used_time, expire_time, *limits = row
    return SessionEntry(
        session_id,
        label,
        SessionKind(kind),
        create_time,
        used_time,
        session_id == asking.session_id,
        None if kind == PERSON else limits_of_row(limits),
        expire_time or 0,
    )


def end_session_of(transaction: WriteTransaction, session: StoredSession, session_id: int) -> None:
    """End a session of the account of `session`. Raises SessionNotFound."""
    is_possible = session_id <= _MAX_ID
    if not is_possible or transaction.execute("is_session_of", (session_id, session.account_id)).get is None:
        raise SessionNotFound(session_id)
    transaction.end_session(session_id, session.mailbox_id)


def expire_sessions(transaction: WriteTransaction, unused_since: int, limit: int) -> int:
    """End up to `limit` sessions that were last used before a store time, and return how many."""
    unused: list[Any] = transaction.execute("unused_sessions", (unused_since, limit)).fetchall()
    for session_id, mailbox_id in unused:
        transaction.end_session(session_id, mailbox_id)
    return len(unused)


def _session_in(rows: apsw.Cursor) -> StoredSession | None:
    row = rows.fetchone()
    return None if row is None else session_of_row(row)


class SessionsPart(StorePart):
    """The store's methods that open and end sessions. `Store` documents them."""

    def create_account(
        self, username: str, password_hash: str, token_hash: bytes, label: str = "", invite_hash: bytes | None = None
    ) -> StoredSession:
        def sign_up(transaction: WriteTransaction) -> StoredSession:
            repeated = _session_in(transaction.execute("session_by_token", (token_hash,)))
            if repeated is not None and repeated.username == username and repeated.limits is None:
                return repeated
            # A code that is not good is refused first, so that it does not tell whether the name is taken.
            if invite_hash is not None:
                use_invite(transaction, self.clock, invite_hash)
            create_time = self._clock()
            account_id = insert_account(transaction, self.clock, username, password_hash, create_time)
            return insert_session(transaction, account_id, token_hash, create_time, self.clock.now(), label=label)

        return self._change(None, sign_up)

    def create_session(self, account: StoredAccount, token_hash: bytes, label: str = "") -> StoredSession:
        return self._change(
            None,
            lambda transaction: open_session(
                transaction, account, token_hash, self._clock(), self.clock.now(), label=label
            ),
        )

    def touch_session(self, session: StoredSession) -> None:
        # A session that has ended has no row that this could change.
        self._change(None, lambda transaction: transaction.touch_session(session, self.clock.now()))

    def end_session(self, session: StoredSession) -> None:
        # A session that has ended already stays as it is.
        self._change(None, lambda transaction: transaction.end_session(session.session_id, session.mailbox_id))

    def sessions_of(self, session: StoredSession, after: int, limit: int) -> list[SessionEntry]:
        with self._reader() as connection:
            return list_sessions(connection, session, after, limit)

    def end_session_of(self, session: StoredSession, session_id: int) -> None:
        self._change(session, lambda transaction: end_session_of(transaction, session, session_id))

    def expire_sessions(self, unused_since: int, limit: int) -> int:
        return self._change(None, lambda transaction: expire_sessions(transaction, unused_since, limit))
