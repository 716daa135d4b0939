"""Opening a store's file: it locks the file, migrates the schema and refuses other files."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

import apsw

from chatbooth_grpc.booth.admin_store import MaintenanceFailed
from chatbooth_grpc.store.sqlite.copying import copy_pages, new_file
from chatbooth_grpc.store.sqlite.files import StoreFiles
from chatbooth_grpc.store.sqlite.leftovers import why_leftovers_do_not_fit
from chatbooth_grpc.store.sqlite.lock import FileId, StoreLock
from chatbooth_grpc.store.sqlite.seal import FileState
from chatbooth_grpc.store.sqlite.sql import SQL, load_migrations

# "chat". SQLite keeps this number in the file, to say which program the file belongs to.
APPLICATION_ID = 0x63686174

_PRAGMAS = """
PRAGMA foreign_keys = ON;
PRAGMA fullfsync = ON;             -- macOS: fsync alone does not reach the disk
PRAGMA checkpoint_fullfsync = ON;
PRAGMA secure_delete = FAST;
"""

# With synchronous = FULL, SQLite fsyncs each commit before it returns. Promise P1 depends on that.
_WRITER_PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = 67108864;
"""

# With this, the pages that SQLite needs to undo one statement stay in memory. Otherwise, from 64 KiB on, SQLite would
# write them to a file, one write for each page. It is set after the migrations, which may sort more than fits into
# memory.
_TEMPORARY = "PRAGMA temp_store = MEMORY"

# appending.py has a statement for each number of rows.
_WRITER_STATEMENTS = 256

_log = logging.getLogger(__name__)


class StoreOpenError(Exception):
    """The store cannot be opened. The text says why and what to do, for the person who starts the server."""


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """Return the real path of a file, the same for each of its names. Raises StoreOpenError."""
    try:
        return Path(os.path.realpath(path))
    except OSError as error:
        raise StoreOpenError(
            f"cannot open the store {path}: the current folder no longer exists; go to another, or give --store an "
            "absolute path"
        ) from error


def lock_store(path: Path) -> StoreLock:
    """Lock the store's file until `release` or the end of the process. Make the file if it is absent.

    Raises StoreOpenError.
    """
    try:
        return StoreLock(path)
    except BlockingIOError as error:
        raise StoreOpenError(
            f"the store {path} is in use by another server; stop that one, or name another file with --store"
        ) from error
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        raise StoreOpenError(f"cannot open the store {path}: {problem}") from error


def closed_file(path: Path, lock: StoreLock) -> FileState | None:
    """Return the state of the store's file, which is closed and still locked. None: it is not in its place."""
    try:
        # Without this, the file's times after a power loss may be older than the times that are read here.
        os.fsync(lock.descriptor)
        found = path.stat()
    except OSError:
        return None
    return FileState.of(found) if FileId.of(found) == lock.file_id else None


def open_writer(path: Path, vfs: str | None, file_id: FileId) -> tuple[apsw.Connection, StoreFiles]:
    """Open the connection that writes, and migrate the schema. Return the connection and the files that it writes.

    `file_id` is the id of the locked file, which must be the one that is opened. Raises StoreOpenError.
    """
    try:
        # This comes before the first connection that may write, because that one already copies a log into the file.
        misfit = why_leftovers_do_not_fit(path, vfs)
        if misfit is not None:
            raise StoreOpenError(misfit)
        connection = connect(path, vfs, statements=_WRITER_STATEMENTS)
        try:
            _check_ours(connection, path)
            # execute() alone stops at the first row, and so at the first PRAGMA that answers.
            connection.execute(_WRITER_PRAGMAS).fetchall()
            _migrate(connection, path)
            connection.execute(_TEMPORARY)
            return connection, _find_files(path, file_id)
        except BaseException:
            connection.close()
            raise
    except apsw.NotADBError as error:
        raise StoreOpenError(f"{path} is not a chatbooth store; name another file with --store") from error
    except apsw.Error as error:
        raise StoreOpenError(f"cannot open the store {path}: {error}") from error


def connect(path: Path, vfs: str | None, statements: int = 100) -> apsw.Connection:
    """Open a connection with the settings that all connections share. It caches `statements` prepared statements."""
    # The lock has made the file. A file that is gone since must not be made a second time.
    flags = apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=statements)
    connection.set_busy_timeout(5_000)
    connection.execute(_PRAGMAS).fetchall()
    return connection


def open_reader(path: Path, vfs: str | None) -> apsw.Connection:
    """Open a connection that only reads, and let it read once."""
    connection = connect(path, vfs)
    # The writer's connection is closed last, and copies the log into the file.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.pragma("query_only", True)
    # SQLite opens the log with the first read.
    connection.pragma("user_version")
    return connection


def _find_files(path: Path, file_id: FileId) -> StoreFiles:
    with suppress(OSError):
        files = StoreFiles(path, file_id)
        if files.check():
            return files
    raise StoreOpenError(f"the store {path} was moved or replaced while it was being opened; start again")


def _check_ours(connection: apsw.Connection, path: Path) -> None:
    application_id = connection.pragma("application_id")
    is_empty = not connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application_id != APPLICATION_ID and not (application_id == 0 and is_empty):
        raise StoreOpenError(f"{path} is another program's database; name another file with --store")


def _migrate(connection: apsw.Connection, path: Path) -> None:
    version = connection.pragma("user_version")
    migrations = load_migrations()
    newest = migrations[-1][0]
    if version > newest:
        raise StoreOpenError(
            f"the store {path} was written by a newer chatbooth (schema {version}, this one knows {newest}); "
            "upgrade chatbooth, or name another file with --store"
        )
    if version == newest:
        return
    if version:
        _keep_copy(connection, path, version, newest)
    with connection:
        for _, script in migrations[version:]:
            connection.execute(script).fetchall()
        connection.execute(SQL["begin_log_with_migration"])
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", newest)


def _keep_copy(connection: apsw.Connection, path: Path, version: int, newest: int) -> None:
    """Copy a store before its migration, for those who must go back to the earlier chatbooth. Raises StoreOpenError."""
    copy = Path(f"{path}.before-{newest}")
    try:
        # An earlier copy is of an attempt that failed, or of a store that was put back since.
        with new_file(copy, force=True) as part:
            for _ in copy_pages(connection, part):
                pass
    except MaintenanceFailed as error:
        raise StoreOpenError(
            f"cannot open the store {path}: a copy must be kept before its schema changes from {version} to {newest}. "
            f"{error} Free some space, and start again"
        ) from error
    _log.info(
        "the store's schema changes, and a copy of the store as it was is kept",
        extra={"schema": version, "new_schema": newest, "copy": str(copy)},
    )
