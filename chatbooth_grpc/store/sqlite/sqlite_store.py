"""The embedded store: one SQLite file, one writer with group commit, many readers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TypeVar

import apsw

from chatbooth_grpc.booth.clock import Clock, steady_clock, wall_clock
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    StoreFull,
    StoreUnavailable,
)
from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.store import (
    Available,
    Batch,
    Changed,
    Deleted,
    NewMessage,
    RetentionStep,
    Settle,
    StoredSession,
)
from chatbooth_grpc.booth.store_clock import Stamps
from chatbooth_grpc.store.availability import Availability
from chatbooth_grpc.store.failures import failed_reading
from chatbooth_grpc.store.group_commit import GroupCommit
from chatbooth_grpc.store.sqlite.accounts import AccountsPart
from chatbooth_grpc.store.sqlite.admission import admit, read_standing
from chatbooth_grpc.store.sqlite.blocks import BlocksPart
from chatbooth_grpc.store.sqlite.invites import InvitesPart
from chatbooth_grpc.store.sqlite.kept_clock import open_clock
from chatbooth_grpc.store.sqlite.leftovers import generation_in_file
from chatbooth_grpc.store.sqlite.mailboxes import read_after
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
from chatbooth_grpc.store.sqlite.sessions import SessionsPart, find_session
from chatbooth_grpc.store.sqlite.sqlite_admin_store import SQLiteAdminStore
from chatbooth_grpc.store.sqlite.sqlite_engine import SQLiteEngine
from chatbooth_grpc.store.sqlite.tokens import TokensPart
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

T = TypeVar("T")


class SQLiteStore(AccountsPart, SessionsPart, TokensPart, BlocksPart, InvitesPart):
    """A `Store` in one file, for one server process at a time. `Store` documents the methods.

    The parts that it extends have the methods of their subjects.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock = wall_clock,
        steady: Clock | None = None,
        vfs: str | None = None,
        store_wait: float = 30.0,
        max_mailbox: int = 0,
        restored: bool = False,
        observer: Observer | None = None,
    ) -> None:
        """Open the file, or make it if it is absent. Raises `StoreOpenError`.

        `clock` gives the time of day, and `steady` the time that passes. If `steady` is None, it is the system's steady
        clock, or `clock` if `clock` is not the system's. `vfs` names the SQLite VFS that reaches the file. `store_wait`
        is the longest time that a change waits for the disk, in seconds. A mailbox takes no
        message while `max_mailbox` of its messages are not acknowledged; 0 sets no limit. `restored` says that the file
        was put back from a copy. In most cases, the store notices that by itself. `observer` observes each transaction.
        """
        # The real path gives one lock for all names of the file, also after the process changes its folder.
        self.path = self._path = absolute_path(path)
        self._clock = clock
        self._store_wait = store_wait
        self._failed_reading = failed_reading()
        self._closed = False
        file_before = self._open(vfs, steady or (steady_clock if clock is wall_clock else clock), max_mailbox)
        self._start(vfs, observer)
        self._epoch = self._admit(file_before, restored=restored)
        # The operations of an administrator on this store.
        self.administration = SQLiteAdminStore(
            self._path,
            self._writer,
            self._engine,
            self.clock,
            wall=self._clock,
            reading=self._reader,
            new_reader=self._new_reader,
            problem=self._problem,
        )

    def _open(self, vfs: str | None, steady: Clock, max_mailbox: int) -> FileState:
        """Lock the file and open it for the writer. Return how the file was before."""
        self._lock = lock_store(self._path)
        self._seal = Seal(self._path)
        try:
            file_before = FileState.of(os.fstat(self._lock.descriptor))
            writer, self._files = open_writer(self._path, vfs, self._lock.file_id)
            # The writer's thread alone uses the clock and the engine from here on.
            self._kept_clock = open_clock(writer, self._clock, steady, self._path)
        except BaseException:
            self._lock.release()
            raise
        self._engine = SQLiteEngine(
            writer,
            self._files,
            self._seal,
            self._kept_clock,
            partial(generation_in_file, self._path, vfs),
            max_mailbox=max_mailbox,
        )
        return file_before

    def _start(self, vfs: str | None, observer: Observer | None) -> None:
        """Start the writer and the thread that watches the files, and prepare the readers."""
        self._availability = Availability(lambda: self.is_available)
        self._files.watch(self._availability.look)
        self._writer = GroupCommit(self._engine, self._store_wait, observer, self._availability.look)
        self._new_reader = partial(self._open_reader, vfs)
        self._readers = Readers(self._new_reader, self._store_wait)
        self._files.start(self._seal.tend, lambda: self._writer.run_later(lambda _: self._engine.look_inside()))

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
    def queue_depth(self) -> int:
        """How many pieces of work wait for the next transaction."""
        return self._writer.queue_depth

    @property
    def is_available(self) -> bool:
        """Whether the store can be read and written, as far as it is known."""
        return not self._files.are_lost and not self._writer.is_failing

    def _problem(self) -> str:
        """Return why the store is not available. The result is empty if it is."""
        return self._files.problem or self._writer.problem

    def is_moving(self, patience: float) -> bool:
        """Return whether the store works on nothing for more than `patience` seconds, except for a vacuum."""
        return self._engine.is_vacuuming or self._writer.is_moving(patience)

    @property
    def epoch(self) -> bytes:
        return self._epoch

    # Sessions

    def session(self, token_hash: bytes) -> StoredSession | None:
        return self._engine.sessions.get(token_hash, self._read_session)

    def cached_session(self, token_hash: bytes) -> StoredSession | None:
        return self._engine.sessions.cached(token_hash)

    def watch(self, changed: Changed) -> None:
        self._engine.watchers.append(changed)

    def watch_deletions(self, deleted: Deleted) -> None:
        self._engine.deletion_watchers.append(deleted)

    def watch_availability(self, available: Available) -> None:
        self._availability.watch(available)

    # Mailboxes

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        self._writer.append_later(messages, settle)

    def after(self, session: StoredSession, sequence: int | None, max_messages: int, max_size: int) -> Batch:
        with self._reader() as connection:
            return read_after(connection, session, sequence, max_messages, max_size)

    def cached_messages(self, session: StoredSession, sequence: int) -> Sequence[Message]:
        return self._engine.tails.after(session.mailbox_id, sequence)

    def acknowledge(self, session: StoredSession, through: int) -> None:
        self._change(session, partial(WriteTransaction.advance_cursor, session=session, through=through))

    def remove_old(self, retain: float | None, start: int = 0) -> RetentionStep:
        with self._reader() as connection:
            due, go_on_from = due_mailboxes(connection, self._young(retain), start)
        if not due:
            return RetentionStep(0, go_on_from)
        # Messages may have been accepted meanwhile, with accept times that were not given before.
        return self._change(None, lambda transaction: remove_from(transaction, due, self._young(retain), go_on_from))

    def prune_deleted(self) -> bool:
        return self._change(None, prune_detached)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._files.stop()
        # The writer's connection is closed last. That copies the log into the file, which then is the whole store.
        all_read = self._readers.close(self._store_wait)
        self._writer.run_later(lambda _: self._engine.end_log())
        self._writer.close()
        if all_read:
            self._seal.close(None if self._files.are_lost else closed_file(self._path, self._lock))
            self._lock.release()

    def _admit(self, file_before: FileState, *, restored: bool) -> bytes:
        """Seal the store for this run, and return its epoch. Raises StoreOpenError."""
        try:
            with self._reader() as connection:
                standing = read_standing(connection)
            return admit(self._writer, self._seal, standing, file_before, restored=restored)
        except ChatboothError as error:
            self._seal.close(None)
            self.close()
            problem = "the disk is full" if isinstance(error, StoreFull) else "it cannot be written"
            raise StoreOpenError(f"cannot open the store {self._path}: {problem}") from error

    def _young(self, retain: float | None) -> Stamps | None:
        """Return the accept times of messages that must be kept. None: age does not count."""
        return None if retain is None else self.clock.younger_than(retain)

    def _read_session(self, token_hash: bytes) -> StoredSession | None:
        with self._reader() as connection:
            return find_session(connection, token_hash)

    def _open_reader(self, vfs: str | None) -> apsw.Connection:
        """Open a reading connection to the files that the writer uses, and not to others in their place."""
        if not self._files.check():
            raise StoreUnavailable
        connection = open_reader(self._path, vfs)
        if not self._files.check():
            connection.close()
            raise StoreUnavailable
        return connection
