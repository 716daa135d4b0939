"""Whether the log or the rollback journal beside a store's file belongs to that file.

A server that was killed leaves a log, with changes that are not in the store's file yet. The next server reads the
file through the log. If someone puts another file in place meanwhile, that would mix two states of the store. So this
reads the generation twice before anything is written: from the file alone, and through the log. `checkpoints` says
which generations fit together.

A server that was killed at its first start leaves a rollback journal, because it was making the file or turning it into
one with a log. SQLite would undo that work. So it would cut a file that was put in place meanwhile down to nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import apsw

from chatbooth_grpc.store.sqlite.sql import SQL

_READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI

# A rollback journal's header, by the description of SQLite's file format: the number of pages that the file had, and
# the size of a page.
_JOURNAL_HEADER = struct.Struct(">16xI4xI")

_UNREADABLE = (apsw.CorruptError, apsw.NotADBError)


class _Generations(NamedTuple):
    """The generations that one reading found. `generation` is None if an early version wrote the store, without any."""

    generation: bytes | None
    log_base: bytes | None


def why_leftovers_do_not_fit(path: Path, vfs: str | None) -> str | None:
    """Return why a log or a journal beside `path` does not belong to it, and what to do. None: everything fits.

    Changes no file. Raises apsw.Error if the file cannot be read.
    """
    journal = Path(f"{path}-journal")
    if not _journal_fits(path, journal):
        return _journal_is_another(path, journal)
    log = Path(f"{path}-wal")
    if _size(log) == 0:
        return None
    if _size(path) == 0:
        return _file_is_missing(path, log)
    if _fits(path, vfs):
        return None
    return _file_is_another(path, log)


def _journal_fits(path: Path, journal: Path) -> bool:
    if _size(journal) == 0:
        return True
    try:
        with journal.open("rb") as file:
            header = file.read(_JOURNAL_HEADER.size)
    except OSError:
        # SQLite cannot read it either, and its error says why.
        return True
    if len(header) < _JOURNAL_HEADER.size:
        # SQLite undoes nothing with such a journal.
        return True
    pages_before, page_size = _JOURNAL_HEADER.unpack(header)
    pages = _size(path) // page_size if page_size else 0
    # The file that a server had begun to make has a page at most.
    return pages in {pages_before, 0, 1}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _fits(path: Path, vfs: str | None) -> bool:
    try:
        through_log = _read(path, vfs, "mode=ro")
    except _UNREADABLE:
        # This raises an error if the file itself cannot be read.
        _read(path, vfs, "immutable=1")
        return False
    if through_log is not None and through_log.generation is not None and through_log.log_base is None:
        return True
    try:
        alone = _read(path, vfs, "immutable=1")
    except _UNREADABLE:
        return False
    # A file of another program has no table of the store, with or without its log.
    if alone is None or through_log is None:
        return alone is through_log
    return alone.generation in through_log


def generation_in_file(path: Path, vfs: str | None) -> bytes | None:
    """Return the generation of a store's file, read without its log. None: the file cannot be read."""
    try:
        found = _read(path, vfs, "immutable=1")
    except apsw.Error:
        return None
    return None if found is None else found.generation


def _read(path: Path, vfs: str | None, how: str) -> _Generations | None:
    """Read the generations. None: no table of a store can be found."""
    connection = apsw.Connection(f"file:{quote(str(path))}?{how}", flags=_READ_ONLY, vfs=vfs)
    try:
        # Without this, closing the last connection would copy the log into the file and delete it.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(5_000)
        # Without this, SQLite refuses a file that is shorter than its first page says. That is normal after a crash
        # amid a checkpoint, which writes the pages in any order.
        connection.pragma("writable_schema", True)
        columns = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info('store')")}
        # With writable_schema, SQLite leaves out the tables whose description is damaged.
        if not columns:
            return None
        if "generation" not in columns:
            # A mixture may have hidden the columns. Then this finds that the schema is corrupt.
            connection.pragma("writable_schema", False)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            return _Generations(None, None)
        row: tuple[Any, Any] = connection.execute(SQL["generations"]).get
        return _Generations(*row)
    finally:
        connection.close()


def _journal_is_another(path: Path, journal: Path) -> str:
    return (
        f"the store {path} and the file beside it, {journal}, do not belong together, as when a backup is put back "
        f"after a server was killed at its first start; move {journal.name} away, and start"
    )


def _file_is_missing(path: Path, log: Path) -> str:
    return (
        f"the store {path} is missing or empty, but its log {log} is there and may hold messages that are only there; "
        f"put back the file {path.name} that belongs to it, and start again; "
        f"or, to begin a new store, first move {log.name} away"
    )


def _file_is_another(path: Path, log: Path) -> str:
    return (
        f"the store {path} and the log beside it, {log}, do not belong together, as when a backup is put back after a "
        f"crash; to keep what the log holds, put back the file {path.name} that was there at the crash, and start; "
        f"to go on from the {path.name} that is there now, without what the log holds, first move {log.name} away"
    )
