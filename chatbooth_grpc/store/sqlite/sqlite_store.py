"""The embedded store: one SQLite file, one writer with group commit, many readers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import apsw

from chatbooth_grpc.booth.clock import Clock, steady_clock, wall_clock
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    CursorPastEnd,
    SessionInvalid,
    StoreFull,
    StoreUnavailable,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.model import Message, Receipt, Removal
from chatbooth_grpc.booth.store import (
    Available,
    Batch,
    Changed,
    NewMessage,
    RetentionStep,
    Settle,
    StoredAccount,
    StoredSession,
)
from chatbooth_grpc.booth.store_clock import Stamps, StoreClock
from chatbooth_grpc.store.failures import failed_reading
from chatbooth_grpc.store.group_commit import GroupCommit
from chatbooth_grpc.store.sqlite.admission import admit, read_standing
from chatbooth_grpc.store.sqlite.failures import store_failures
from chatbooth_grpc.store.sqlite.kept_clock import open_clock
from chatbooth_grpc.store.sqlite.leftovers import generation_in_file
from chatbooth_grpc.store.sqlite.opening import (
    StoreOpenError,
    absolute_path,
    closed_file,
    lock_store,
    open_reader,
    open_writer,
)
from chatbooth_grpc.store.sqlite.pruning import prune_detached
from chatbooth_grpc.store.sqlite.readers import Readers
from chatbooth_grpc.store.sqlite.retention import due_mailboxes, remove_from
from chatbooth_grpc.store.sqlite.seal import FileState, Seal
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.sqlite_engine import SQLiteEngine

T = TypeVar("T")

_PAST_EVERY_NAME = "\x7f"  # sorts after every character that a username may hold


class SQLiteStore:
    """A `Store` in one file, for one server process at a time. Its methods are documented there."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock = wall_clock,
        steady: Clock | None = None,
        vfs: str | None = None,
        store_wait: float = 30.0,
        restored: bool = False,
    ) -> None:
        """Open the file, made if absent. Raises `StoreOpenError`.

        `clock` tells the time of day, and `steady` the time that passes. None: the system's, or `clock` if that is not.
        `vfs` names the SQLite VFS to reach the file through; `store_wait` is the longest that a change waits for the
        disk, in seconds. `restored` says that the file was put back from a copy, which mostly is noticed without that.
        """
        self._path = absolute_path(path)  # one lock whatever name it goes by, also after a chdir
        self._clock = clock
        self._lock = lock_store(self._path)
        self._seal = Seal(self._path)
        try:
            file_before = FileState.of(os.fstat(self._lock.descriptor))
            writer, self._files = open_writer(self._path, vfs, self._lock.file_id)
            steady = steady or (steady_clock if clock is wall_clock else clock)
            self._kept_clock = open_clock(writer, SQL, clock, steady, self._path)  # the writer's thread's, from here on
        except BaseException:
            self._lock.release()
            raise
        # The writer's thread alone uses it from here on.
        self._engine = SQLiteEngine(
            writer, self._files, self._seal, self._kept_clock, partial(generation_in_file, self._path, vfs)
        )
        self._sessions = self._engine.sessions
        self._writer = GroupCommit(self._engine, store_wait)
        self._engine.go_on_pruning = lambda: self._writer.run_later(self._prune)
        self._readers = Readers(lambda: self._open_reader(vfs), store_wait)
        self._failed_reading = failed_reading()
        self._store_wait = store_wait
        self._closed = False
        self._files.start(self._seal.tend, lambda: self._writer.run_later(self._engine.look_inside))
        self._epoch = self._admit(file_before, restored=restored)
        self._writer.run_later(self._prune)

    def __enter__(self) -> SQLiteStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def clock(self) -> StoreClock:
        return self._kept_clock.clock

    @property
    def epoch(self) -> bytes:
        return self._epoch

    # Accounts

    def create_account(self, username: str, password_hash: str, token_hash: bytes) -> StoredSession:
        def work(connection: apsw.Connection) -> StoredSession:
            now = self._clock()
            self._release_name(connection, username)
            if not connection.execute(SQL["name_is_free"], {"username": username}).get:
                raise UsernameTaken(username)
            account_id = connection.execute(SQL["insert_account"], (username, password_hash, now)).get
            connection.execute(SQL["insert_mailbox"], (account_id,))
            return self._insert_session(connection, account_id, token_hash)

        return self._run(work)

    def account(self, username: str) -> StoredAccount | None:
        with self._reader() as connection:
            row = connection.execute(SQL["account_by_name"], (username,)).fetchone()
        return None if row is None else StoredAccount(*row)

    def usernames(self, prefix: str, after: str, limit: int) -> bytes:
        bindings = {
            "start": max(prefix, after),  # one bound: of two, SQLite would seek by one and step over what is below both
            "after": after,
            "end": prefix + _PAST_EVERY_NAME,
            "limit": limit,
        }
        with self._reader() as connection:
            return bytes(connection.execute(SQL["usernames"], bindings).get)

    def replace_password_hash(self, account: StoredAccount, password_hash: str) -> None:
        self._run(lambda connection: _swap_password_hash(connection, account, password_hash))

    def change_password(self, session: StoredSession, account: StoredAccount, password_hash: str) -> int:
        def work(connection: apsw.Connection) -> int:
            _check_live(connection, session)
            if not _swap_password_hash(connection, account, password_hash):
                raise WrongPassword
            self._sessions.drop_all_at_commit()
            connection.execute(SQL["end_other_sessions"], (session.account_id, session.session_id))
            self._engine.changed.add(session.mailbox_id)
            return connection.changes()

        return self._run(work)

    def delete_account(self, session: StoredSession, account: StoredAccount, name_hold: float) -> Removal:
        def work(connection: apsw.Connection) -> Removal:
            _check_live(connection, session)
            if not _has_hash(connection, account):
                raise WrongPassword
            self._sessions.drop_all_at_commit()
            connection.execute(SQL["end_all_sessions"], (account.account_id,))
            sessions = connection.changes()
            messages = connection.execute(SQL["detach_mailbox"], (account.account_id,)).get
            connection.execute(SQL["delete_account"], (account.account_id,))
            if name_hold > 0:
                hold_time = self.clock.now()
                free_time = hold_time + round(name_hold * 1_000_000)
                connection.execute(SQL["hold_name"], (account.username, hold_time, free_time))
            self._engine.changed.add(session.mailbox_id)
            self._writer.run_later(self._prune)
            return Removal(messages, sessions)

        return self._run(work)

    # Sessions

    def create_session(self, account: StoredAccount, token_hash: bytes) -> StoredSession:
        def work(connection: apsw.Connection) -> StoredSession:
            if not _has_hash(connection, account):
                raise WrongCredentials
            session = _session_by_token(connection, token_hash)
            if session is None or session.account_id != account.account_id:
                return self._insert_session(connection, account.account_id, token_hash)
            self._sessions.drop_all_at_commit()
            connection.execute(SQL["touch_session"], (self.clock.now(), session.session_id))
            return session

        return self._run(work)

    def session(self, token_hash: bytes) -> StoredSession | None:
        return self._sessions.get(token_hash, self._read_session)

    def session_at_hand(self, token_hash: bytes) -> StoredSession | None:
        return self._sessions.at_hand(token_hash)

    def touch_session(self, session: StoredSession) -> None:
        def work(connection: apsw.Connection) -> None:
            self._sessions.drop_all_at_commit()
            connection.execute(SQL["touch_session"], (self.clock.now(), session.session_id))

        self._run(work)

    def end_session(self, session: StoredSession) -> None:
        def work(connection: apsw.Connection) -> None:
            self._sessions.drop_all_at_commit()
            connection.execute(SQL["end_session"], (session.session_id,))
            self._engine.changed.add(session.mailbox_id)

        self._run(work)

    def expire_sessions(self, unused_since: int, limit: int) -> int:
        def work(connection: apsw.Connection) -> int:
            unused: list[Any] = connection.execute(SQL["unused_sessions"], (unused_since, limit)).fetchall()
            if unused:
                self._sessions.drop_all_at_commit()
            for session_id, mailbox_id in unused:
                connection.execute(SQL["end_session"], (session_id,))
                self._engine.changed.add(mailbox_id)
            return len(unused)

        return self._run(work)

    def watch(self, changed: Changed) -> None:
        self._engine.watchers.append(changed)

    def watch_availability(self, available: Available) -> None:
        self._files.watch(available)

    # Mailboxes

    def append(self, messages: Sequence[NewMessage]) -> list[Receipt | ChatboothError]:
        return self._writer.append(messages)

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        self._writer.append_later(messages, settle)

    def after(self, session: StoredSession, sequence: int | None, max_messages: int, max_size: int) -> Batch:
        with self._reader() as connection, _snapshot(connection):
            last_sequence, removed_through, cursor = _mailbox_bounds(connection, session)
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

    def recent(self, session: StoredSession, sequence: int) -> Sequence[Message]:
        return self._engine.tails.after(session.mailbox_id, sequence)

    def acknowledge(self, session: StoredSession, through: int) -> None:
        def work(connection: apsw.Connection) -> None:
            last_sequence, _, _ = _mailbox_bounds(connection, session)
            if through > last_sequence:
                raise CursorPastEnd(through, last_sequence)
            connection.execute(SQL["advance_cursor"], (through, session.session_id))
            connection.execute(SQL["advance_acknowledged"], (through, session.mailbox_id))
            self._engine.changed.add(session.mailbox_id)

        self._run(work, ends_nothing=True)

    def remove_old(self, retain: float | None, start: int = 0) -> RetentionStep:
        with self._reader() as connection:
            due, go_on_from = due_mailboxes(connection, SQL, self._young(retain), start)
        if not due:
            return RetentionStep(0, go_on_from)
        # Messages may have been accepted meanwhile, with stamps that were not given before.
        return self._run(lambda connection: remove_from(connection, SQL, due, self._young(retain), go_on_from))

    def prune_deleted(self) -> bool:
        return self._run(lambda connection: prune_detached(connection, SQL))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._files.stop()
        # The writer's connection is closed last: that copies the log into the file and leaves one file that is all.
        all_read = self._readers.close(self._store_wait)
        self._writer.run_later(self._engine.end_log)
        self._writer.close()
        if all_read:
            self._seal.close(None if self._files.are_lost else closed_file(self._path, self._lock))
            self._lock.release()

    def _admit(self, file_before: FileState, *, restored: bool) -> bytes:
        """Seal the store for this run; return its epoch. Raises StoreOpenError."""
        try:
            with self._reader() as connection:
                standing = read_standing(connection, SQL)
            return admit(self._writer, self._seal, standing, file_before, SQL, restored=restored)
        except ChatboothError as error:
            self._seal.close(None)
            self.close()
            problem = "the disk is full" if isinstance(error, StoreFull) else "it cannot be written"
            raise StoreOpenError(f"cannot open the store {self._path}: {problem}") from error

    def _run(self, work: Callable[[apsw.Connection], T], *, ends_nothing: bool = False) -> T:
        """Run work other than an append on the writer. `ends_nothing`: no session and no account."""

        def run(connection: apsw.Connection) -> T:
            if not ends_nothing:
                self._engine.forget_lookups()
            return work(connection)

        return self._writer.run(run)

    def _young(self, retain: float | None) -> Stamps | None:
        """Return the stamps of messages that are to be kept; None: age does not count."""
        return None if retain is None else self.clock.younger_than(retain)

    def _release_name(self, connection: apsw.Connection, username: str) -> None:
        """Free a name if it was held for as long as it was to be."""
        held = connection.execute(SQL["held_name"], (username,)).fetchone()
        if held is not None and self.clock.age(held[0]) >= held[1] - held[0]:
            connection.execute(SQL["release_name"], (username,))

    def _insert_session(self, connection: apsw.Connection, account_id: int, token_hash: bytes) -> StoredSession:
        if _session_by_token(connection, token_hash) is not None:
            raise SessionInvalid("IN_USE")
        times = {"create_time": self._clock(), "used_time": self.clock.now()}
        connection.execute(SQL["insert_session"], {"account_id": account_id, "token_hash": token_hash, **times})
        session = _session_by_token(connection, token_hash)
        if session is None:
            raise WrongCredentials
        return session

    def _read_session(self, token_hash: bytes) -> StoredSession | None:
        with self._reader() as connection:
            return _session_by_token(connection, token_hash)

    def _prune(self, connection: apsw.Connection) -> None:
        """Remove a little of a deleted account's mailbox, and come back for more once that is committed."""
        self._engine.prunes_on = prune_detached(connection, SQL)

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        """Lend a reading connection, unless the files that it reads are lost."""
        if self._files.are_lost:
            raise StoreUnavailable
        with store_failures(self._failed_reading), self._readers.lend() as connection:
            yield connection

    def _open_reader(self, vfs: str | None) -> apsw.Connection:
        """Open a reading connection to the files that the writer uses, not to others that have taken their place."""
        if not self._files.check():
            raise StoreUnavailable
        connection = open_reader(self._path, vfs)
        if not self._files.check():
            connection.close()
            raise StoreUnavailable
        return connection


@contextmanager
def _snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Let all that is read inside be of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _session_by_token(connection: apsw.Connection, token_hash: bytes) -> StoredSession | None:
    row = connection.execute(SQL["session_by_token"], (token_hash,)).fetchone()
    return None if row is None else StoredSession(*row)


def _check_live(connection: apsw.Connection, session: StoredSession) -> None:
    if connection.execute(SQL["session_is_live"], (session.session_id,)).get is None:
        raise SessionInvalid


def _has_hash(connection: apsw.Connection, account: StoredAccount) -> bool:
    found = connection.execute(SQL["account_has_hash"], (account.account_id, account.password_hash))
    return found.get is not None


def _swap_password_hash(connection: apsw.Connection, account: StoredAccount, password_hash: str) -> bool:
    bindings = {
        "account_id": account.account_id,
        "old": account.password_hash,
        "new": password_hash,
    }
    connection.execute(SQL["update_password_hash"], bindings)
    return connection.changes() == 1


def _message(row: tuple[Any, ...]) -> Message:
    sequence, sender, sender_id, message_id, accept_time, content, kind = row
    return Message(sequence, sender, sender_id, message_id, accept_time, content, kind)


def _mailbox_bounds(connection: apsw.Connection, session: StoredSession) -> tuple[int, int, int]:
    """Return the mailbox's last and last removed sequence and the session's cursor. Raises SessionInvalid."""
    row = connection.execute(SQL["mailbox_bounds"], (session.session_id, session.mailbox_id)).fetchone()
    if row is None:
        raise SessionInvalid
    last_sequence, removed_through, cursor = row
    return last_sequence, removed_through, cursor
