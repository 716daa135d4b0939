"""An administrator's operations on the store in one file, while it is open."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw

from chatbooth_grpc.booth.admin_store import (
    Backup,
    Finding,
    MaintenanceFailed,
    Progress,
    Statistics,
    User,
    Vacuumed,
)
from chatbooth_grpc.booth.clock import Clock
from chatbooth_grpc.booth.errors import StoreUnavailable
from chatbooth_grpc.booth.invites import Invite, NewInvite
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.booth.store_clock import StoreClock
from chatbooth_grpc.store.group_commit import GroupCommit
from chatbooth_grpc.store.sqlite.accounts import list_usernames
from chatbooth_grpc.store.sqlite.checking import check
from chatbooth_grpc.store.sqlite.copying import copy_pages, damage_in, new_file, open_alone
from chatbooth_grpc.store.sqlite.exporting import export
from chatbooth_grpc.store.sqlite.failures import store_failure
from chatbooth_grpc.store.sqlite.invites import insert_invite, list_invites, revoke_invite
from chatbooth_grpc.store.sqlite.last_backup import ENDING as LAST_BACKUP
from chatbooth_grpc.store.sqlite.last_backup import note_backup
from chatbooth_grpc.store.sqlite.sql import ADMIN_SQL
from chatbooth_grpc.store.sqlite.sqlite_engine import SQLiteEngine
from chatbooth_grpc.store.sqlite.user_administration import (
    delete_user,
    read_statistics,
    read_unacknowledged,
    read_users,
    set_disabled,
    set_password,
)
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

T = TypeVar("T")

BESIDE = ("", "-wal", "-shm", "-journal", ".seal", ".seal.new", ".admin", LAST_BACKUP)
"""The endings of the files that belong to an open store."""

_TELL_INTERVAL = 1.0


class SQLiteAdminStore:
    """An `AdminStore` over an open file. `AdminStore` documents the methods."""

    def __init__(
        self,
        path: Path,
        writer: GroupCommit[WriteTransaction],
        engine: SQLiteEngine,
        clock: StoreClock,
        *,
        wall: Clock,
        reading: Callable[[], AbstractContextManager[apsw.Connection]],
        new_reader: Callable[[], apsw.Connection],
        problem: Callable[[], str],
    ) -> None:
        """`reading` lends a connection for a moment. `new_reader` opens another one, for long work.

        `problem` says why the store is not available.
        """
        self._path = path
        self._writer = writer
        self._engine = engine
        self._clock = clock
        self._wall = wall
        self._reading = reading
        self._new_reader = new_reader
        self._problem = problem
        # The connections that are reading for long.
        self._long_readers: set[apsw.Connection] = set()
        self._is_interrupted = False

    def usernames(self, prefix: str, after: str, limit: int) -> bytes:
        with self._reading() as connection:
            return list_usernames(connection, prefix, after, limit)

    def users(self, usernames: Sequence[str]) -> list[User]:
        with self._reading() as connection:
            return read_users(connection, usernames)

    def problem(self) -> str:
        return self._problem()

    def statistics(self) -> Statistics:
        with self._reading() as connection:
            return read_statistics(connection, self._path)

    def unacknowledged(self) -> int:
        with self._reading() as connection:
            return read_unacknowledged(connection)

    def set_disabled(self, username: str, *, is_disabled: bool) -> int:
        time = self._wall() if is_disabled else None
        return self._change(partial(set_disabled, username=username, disabled_time=time))

    def set_password(self, username: str, password_hash: str) -> int:
        return self._change(partial(set_password, username=username, password_hash=password_hash))

    def delete_user(self, username: str, name_hold: float) -> Removal:
        return self._change(partial(delete_user, username=username, name_hold=name_hold, now=self._clock.now()))

    def create_invite(self, new: NewInvite) -> Invite:
        return self._change(partial(insert_invite, clock=self._clock, new=new, create_time=self._wall()))

    def invites(self, after: int, limit: int) -> list[Invite]:
        with self._reading() as connection:
            return list_invites(connection, self._clock, after, limit)

    def revoke_invite(self, invite_id: int) -> None:
        self._change(partial(revoke_invite, clock=self._clock, invite_id=invite_id))

    def backup(self, target: Path, *, force: bool) -> Iterator[Progress | Backup]:
        self._refuse_own(target)
        with new_file(target, force=force) as part, self._reading_long(self._new_reader) as source:
            # The first statement that reads begins the moment whose state the whole copy has.
            source.execute("BEGIN")
            messages = source.execute(ADMIN_SQL["kept_messages"]).get
            yield from copy_pages(source, part)
            source.execute("ROLLBACK")
            yield Progress("checking the copy")
            if problems := self._problems_of(part):
                raise MaintenanceFailed(
                    f"The copy is damaged, and so perhaps is the store: {problems[0]}. Nothing was kept of the copy. "
                    "Check the store."
                )
            size = part.stat().st_size
        note_backup(self._path)
        yield Backup(target, size, messages)

    def check(self) -> Iterator[Progress | Finding]:
        with self._reading_long(self._new_reader) as connection:
            yield from _told(check(connection))

    def export(self, username: str) -> Iterator[Mapping[str, object]]:
        with self._reading_long(self._new_reader) as connection:
            yield from _told(export(connection, username))

    def vacuum(self) -> Iterator[Progress | Vacuumed]:
        size_before = self.statistics().file_size
        ended: queue.SimpleQueue[apsw.Error | None] = queue.SimpleQueue()
        self._change(lambda _: self._engine.vacuum_later(ended.put))
        while True:
            yield Progress("writing the file anew")
            try:
                error = ended.get(timeout=_TELL_INTERVAL)
                break
            except queue.Empty:
                continue
        if isinstance(error, apsw.FullError):
            raise MaintenanceFailed(
                "The disk is full. Nothing was changed. A vacuum needs as much room as the store has, once in the "
                "store's folder and once in the folder of temporary files (SQLITE_TMPDIR)."
            ) from error
        if error is not None:
            raise MaintenanceFailed(f"The file could not be written anew: {error}. Nothing was changed.") from error
        yield Vacuumed(size_before, self.statistics().file_size)

    def interrupt(self) -> None:
        self._is_interrupted = True
        for connection in [*self._long_readers]:
            connection.interrupt()

    @contextmanager
    def _reading_long(self, open_reader: Callable[[], apsw.Connection]) -> Iterator[apsw.Connection]:
        """Give a connection that `interrupt` can interrupt. Raises StoreUnavailable after that."""
        connection = open_reader()
        self._long_readers.add(connection)
        try:
            if self._is_interrupted:
                raise StoreUnavailable
            yield connection
        finally:
            self._long_readers.discard(connection)
            connection.close()

    def _problems_of(self, part: Path) -> list[str]:
        with self._reading_long(partial(open_alone, part)) as copy:
            try:
                return damage_in(copy)
            except (apsw.CorruptError, apsw.NotADBError) as error:
                return [str(error)]

    def _change(self, change: Callable[[WriteTransaction], T]) -> T:
        def work(transaction: WriteTransaction) -> T:
            # No session asks for the change.
            transaction.begin_change(None)
            return change(transaction)

        return self._writer.run(work)

    def _refuse_own(self, target: Path) -> None:
        """Refuse to replace a file of the store itself. Raises MaintenanceFailed."""
        if target.resolve() in {Path(f"{self._path}{ending}") for ending in BESIDE}:
            raise MaintenanceFailed(f"{target} belongs to the store itself. Name another file.")


def _told(items: Iterator[T]) -> Iterator[T]:
    """Raise SQLite's errors as StoreFull or StoreUnavailable."""
    try:
        yield from items
    except apsw.Error as error:
        raise store_failure(error) from error
