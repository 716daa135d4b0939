"""SQLite as the engine of the group commit: its transactions, and the work after each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import apsw

from chatbooth_grpc.booth.errors import StoreUnavailable
from chatbooth_grpc.booth.store import Changed, Deleted
from chatbooth_grpc.store.engine import EngineFailure
from chatbooth_grpc.store.session_cache import SessionCache
from chatbooth_grpc.store.sqlite.appending import Appender
from chatbooth_grpc.store.sqlite.checkpoints import Checkpoints
from chatbooth_grpc.store.sqlite.failures import cause_of, store_failure
from chatbooth_grpc.store.sqlite.files import StoreFiles
from chatbooth_grpc.store.sqlite.kept_clock import KeptClock
from chatbooth_grpc.store.sqlite.seal import Seal
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction
from chatbooth_grpc.store.tails import Tails


class SQLiteEngine:
    """An `Engine` over the one connection that writes to the store's file. `Engine` documents the methods."""

    def __init__(
        self,
        connection: apsw.Connection,
        files: StoreFiles,
        seal: Seal,
        clock: KeptClock,
        read_generation: Callable[[], bytes | None],
        *,
        max_mailbox: int = 0,
    ) -> None:
        """`read_generation` reads the generation in the file itself, without its log."""
        self._connection = connection
        self._files = files
        self._seal = seal
        self._clock = clock
        self._appender = Appender(connection, max_mailbox)
        # The group commit calls these directly, which saves calls on the writer's thread.
        self.append = self._appender.append
        self.savepoint = partial(connection.execute, "SAVEPOINT job")
        self.undo_to_savepoint = partial(connection.execute, "ROLLBACK TO job")
        self.release_savepoint = partial(connection.execute, "RELEASE job")
        self.probe = clock.keep
        self._checkpoints = Checkpoints(connection)
        self._read_generation = read_generation
        # The count of the connection's changes when the transaction began.
        self._changes_before = 0
        self._transaction = WriteTransaction(connection)
        self.watchers: list[Changed] = []
        self.deletion_watchers: list[Deleted] = []
        self.sessions = SessionCache()
        self.tails = Tails()
        # The callers that wait for a vacuum, which comes after the current transaction.
        self._vacuum_done: list[Callable[[apsw.Error | None], None]] = []
        files.note_written(self._checkpoints.generation())

    def begin(self) -> WriteTransaction:
        self._transaction = WriteTransaction(self._connection, self._appender.forget, self._appender.note_blocking)
        self._changes_before = self._connection.total_changes()
        self._connection.execute("BEGIN IMMEDIATE")
        # The files may be back by now.
        if self._files.are_lost and not self._files.check():
            raise StoreUnavailable
        self._checkpoints.begin()
        self._appender.begin(self._clock.begin())
        return self._transaction

    def commit(self) -> bool:
        self._connection.execute("COMMIT")
        if not self._files.check():
            raise StoreUnavailable
        return self._connection.total_changes() != self._changes_before

    def roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def failure(self, error: Exception) -> EngineFailure | None:
        # A job that violates a constraint has a bug, and SQLite can continue.
        if isinstance(error, apsw.Error) and not isinstance(error, apsw.ConstraintError):
            return EngineFailure(cause_of(error), store_failure(error))
        return None

    def end(self, *, committed: bool) -> None:
        self._checkpoints.end(committed)
        self._clock.end(committed=committed)
        if not committed:
            # The caller that asked for a vacuum has got the error.
            self._vacuum_done.clear()
        if committed:
            self.tails.remember(self._appender.appended, self._transaction.changed)
        else:
            self._appender.forget()
        # A transaction that failed may have taken effect all the same.
        if self._transaction.outdates_sessions:
            self.sessions.clear()

    def announce(self, *, committed: bool, is_idle: bool) -> None:
        changed = self._transaction.changed.union(self._appender.appended)
        if committed and self._transaction.ends_accounts:
            for deleted in self.deletion_watchers:
                deleted()
        if committed and changed:
            for watcher in self.watchers:
                watcher(changed, is_idle)
        if committed and self._appender.appended:
            # The callers have their answers already, so they do not wait for this. A crash in between loses no message:
            # then the seal counts fewer messages than the store has, which is allowed.
            self._seal.note(sum(map(len, self._appender.appended.values())))
        if not self._files.are_lost and self._checkpoints.run_if_due():
            self._files.note_written(self._checkpoints.generation())
        if self._vacuum_done:
            self._vacuum()

    def vacuum_later(self, done: Callable[[apsw.Error | None], None]) -> None:
        """Vacuum after the current transaction, then call `done`. None: it succeeded."""
        self._vacuum_done.append(done)

    @property
    def is_vacuuming(self) -> bool:
        """Whether a vacuum runs, or comes after the current transaction. Any thread may ask."""
        return bool(self._vacuum_done)

    def _vacuum(self) -> None:
        """Write the file anew. The log goes on after the transaction that has just marked its beginning."""
        failure = None
        try:
            # Otherwise SQLite would hold the whole new file in memory.
            self._connection.execute("PRAGMA temp_store = FILE")
            self._connection.execute("VACUUM")
        except apsw.Error as error:
            failure = error
        finally:
            self._connection.execute("PRAGMA temp_store = MEMORY")
        if failure is None and not self._files.are_lost:
            self._checkpoints.run_whole()
            self._files.note_written(self._checkpoints.generation())
        for done in self._vacuum_done:
            done(failure)
        self._vacuum_done.clear()

    def rest(self) -> None:
        self._seal.catch_up()

    def close(self) -> None:
        self._connection.close()

    def look_inside(self) -> None:
        """Check whether other content was written into the file. If so, keep the log out of it, also on closing."""
        self._files.look_inside(self._read_generation)
        if self._files.is_overwritten:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def end_log(self) -> None:
        """Mark the end of the log, and keep the clock, before the store closes."""
        self._clock.keep()
        self._checkpoints.end_log()
