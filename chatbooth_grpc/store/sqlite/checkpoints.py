"""Checkpoints of the write-ahead log, and the generations that match it to a file.

A checkpoint copies the log's pages into the store's file. After it has copied all of them, SQLite begins the log anew
with the next transaction. Both ends of a log are marked in the store's one row:

- the first transaction of a log notes the file's generation as `log_base`;
- the last transaction before a checkpoint gives the store a new generation.

So the file that a log goes on from has the log's `log_base` as its generation, and a file that a whole log was copied
into has the log's last generation. `leftovers` refuses any other file. For that, a generation may only change once
between two complete checkpoints.
"""

from __future__ import annotations

from contextlib import suppress

import apsw

from chatbooth_grpc.store.sqlite.sql import SQL

# A checkpoint keeps the next commit waiting for some milliseconds. A log has the same few pages again and again, so
# 4,000 pages hardly take longer to copy than 1,000, and fewer senders wait for it.
CHECKPOINT_PAGES = 4_000


class Checkpoints:
    """Runs the checkpoints of one writing connection, and marks its logs. For the writer's thread alone."""

    def __init__(self, connection: apsw.Connection) -> None:
        """Copy the log that an earlier server left, and take over the connection's checkpoints."""
        self._connection = connection
        # The count of pages that the connection had written when the log began.
        self._written_before = 0
        # Whether the file has all that the log has. Then the next transaction begins the log anew.
        self._is_copied = False
        # Whether the current transaction marks the beginning of a log.
        self._begins_log = False
        # This turns SQLite's own automatic checkpoints off.
        connection.wal_autocheckpoint(0)
        self._run(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def begin(self) -> None:
        """Mark the beginning of a log, if this transaction begins one. Called first in each transaction."""
        if self._is_copied:
            self._begins_log = True
            self._connection.execute(SQL["begin_log"])
            # This writes the file's first page too. So each log has the version of the schema that its pages belong to.
            self._connection.pragma("user_version", self._connection.pragma("user_version"))

    def end(self, committed: bool) -> None:
        """Note whether the transaction was committed. Called after each transaction."""
        if self._begins_log and committed:
            self._is_copied = False
        self._begins_log = False

    def run_if_due(self) -> bool:
        """Run a checkpoint if the log is long, and return whether it ran.

        Called when a transaction's callers have answers.
        """
        is_due = self._written_pages() - self._written_before >= CHECKPOINT_PAGES
        if is_due:
            self._run(apsw.SQLITE_CHECKPOINT_PASSIVE)
        return is_due

    def run_whole(self) -> None:
        """Run a checkpoint that waits for readers and empties the log. Free space at the end of the file goes."""
        self._run(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def generation(self) -> bytes:
        """Return the store's generation, which the file has too after a checkpoint that copied all."""
        return bytes(self._connection.execute(SQL["generations"]).get[0])

    def end_log(self) -> None:
        """Mark the end of the log, inside a transaction. A log that is marked already stays as it is."""
        self._connection.execute(SQL["end_log"])

    def _run(self, mode: int) -> None:
        # A full disk may refuse the mark and still take the checkpoint, which then makes room in the log.
        with suppress(apsw.Error), self._connection:
            self.end_log()
        self._is_copied = False
        # A checkpoint that fails loses nothing: the log stays, and the next commit tries again.
        with suppress(apsw.Error):
            in_log, copied = self._connection.wal_checkpoint(mode=mode)
            self._is_copied = in_log == copied
        if self._is_copied:
            self._written_before = self._written_pages()

    def _written_pages(self) -> int:
        """Return how many pages the connection has ever written into logs.

        SQLite can also call a function with the length of the log after each commit. But then the writer has to win the
        interpreter's lock once more for each commit.
        """
        return self._connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
