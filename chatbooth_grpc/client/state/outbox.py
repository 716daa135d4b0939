"""A durable outbox: messages accepted while the server is away, each sent once later.

A message gets its id when it is put in, before it is sent. It leaves when the server has acknowledged it. If this
program dies in between, the message is sent again under the same id, and the server stores it once. A message that the
server refuses is kept beside the queue with the reason, and does not hold up the others.

The file is an SQLite database, private to its owner. One process at a time sends from it. Any process may put in.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw

from chatbooth_grpc.booth import repeating
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    MessageIdReused,
    Unauthenticated,
)
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.unicode import check_unicode
from chatbooth_grpc.client.state.durable_file import damaged_name, sync_directory
from chatbooth_grpc.client.state.file_lock import file_lock
from chatbooth_grpc.client.state.forks import OneProcess

# With a rollback journal and EXTRA, an accepted message is on the disk, and so is the file's name in its directory.
_SETTINGS = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA fullfsync = ON;"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL UNIQUE,
    recipient TEXT NOT NULL,
    text TEXT NOT NULL,
    refusal TEXT
) STRICT
"""

_COLUMNS = ("position", "message_id", "recipient", "text", "refusal")

# The seconds for which another process may hold the file.
_BUSY_TIMEOUT = 5.0

PASSING = (*repeating.PASSING, Unauthenticated)
"""The failures that are not about the message itself. The same message may be stored later."""

Send = Callable[[str, str, bytes], Receipt]
"""Sends a message, given its recipient, text and message id."""


class OutboxDamaged(OSError):
    """The file is not an outbox, or it is damaged. A person may still find its messages in it."""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in an outbox."""

    message_id: bytes
    """The 16 bytes under which it is sent."""
    recipient: str
    """The recipient's username, as it was given."""
    text: str
    """The text, as it was given."""
    refusal: str | None = None
    """Why the server refused the message, in words for a person. None if the message waits to be sent."""


class Outbox:
    """The messages of one account that are still to be sent, in order. Safe to use from several processes.

    A `message_id` is 16 bytes, not all zero. `put` makes one if it is given None.
    """

    def __init__(self, path: Path) -> None:
        """Open the file. Make it if it is absent, readable by its owner alone. Raises OSError, OutboxDamaged."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._path = path
        self._process = OneProcess()
        with _disk_errors(path), contextlib.ExitStack() as failed:
            self._opened = apsw.Connection(str(path))
            failed.callback(self._opened.close)
            self._opened.set_busy_timeout(round(1_000 * _BUSY_TIMEOUT))
            _check_whole(self._opened, path)
            # execute() alone stops at the first PRAGMA that returns a row.
            self._opened.execute(_SETTINGS).fetchall()
            self._opened.execute(_SCHEMA)
            failed.pop_all()

    def put(self, recipient: str, text: str, message_id: bytes | None = None) -> bytes:
        """Accept a message. It is on the disk when this returns its id.

        A repeat under the id of a message that still waits adds nothing. A repeat of one that the server refused makes
        it wait again. Raises OSError, MalformedRequest. Raises MessageIdReused if a message with this id but other
        content is in the outbox.
        """
        check_unicode(recipient=recipient, text=text)
        message_id = message_id or new_message_id()
        with self._changing():
            if (kept := self.find(message_id)) is not None:
                if (kept.recipient, kept.text) != (recipient, text):
                    raise MessageIdReused
                self._database.execute("DELETE FROM outbox WHERE message_id = ? AND refusal IS NOT NULL", (message_id,))
            self._database.execute(
                "INSERT INTO outbox (message_id, recipient, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (message_id, recipient, text),
            )
        return message_id

    def find(self, message_id: bytes) -> QueuedMessage | None:
        """Return the message with this id, or None if it is not in the outbox."""
        return next(iter(self._select("WHERE message_id = ?", message_id)), None)

    def same_texts(self, recipient: str, text: str) -> list[QueuedMessage]:
        """Return the messages with this text that still wait to be sent to a recipient, in order."""
        return self._select("WHERE refusal IS NULL AND recipient = ? AND text = ? ORDER BY position", recipient, text)

    def waiting(self) -> list[QueuedMessage]:
        """Return the messages that are still to be sent, in order."""
        return self._select("WHERE refusal IS NULL ORDER BY position")

    def refused(self) -> list[QueuedMessage]:
        """Return the messages that the server refused, in order."""
        return self._select("WHERE refusal IS NOT NULL ORDER BY position")

    def take_from(self, other: Path) -> None:
        """Append the messages of another outbox's file, but for those that are here too."""
        with _disk_errors(other):
            self._database.execute("ATTACH ? AS other", (str(other),))
            self._database.execute(
                "INSERT INTO main.outbox (message_id, recipient, text, refusal) "
                "SELECT message_id, recipient, text, refusal FROM other.outbox ORDER BY position ON CONFLICT DO NOTHING"
            )
            self._database.execute("DETACH other")

    def drop(self, message_id: bytes) -> bool:
        """Forget a message. Return whether there was one."""
        with _disk_errors(self._path):
            self._database.execute("DELETE FROM outbox WHERE message_id = ?", (message_id,))
            return self._database.changes() == 1

    def flush(self, send: Send, *, wait: float = 0.0) -> Iterator[tuple[QueuedMessage, Receipt | ChatboothError]]:
        """Send the messages that wait, in order, and yield each with its receipt or its refusal.

        Raises the failures that may pass: Unavailable, DeadlineExceeded, ResourceExhausted, Unauthenticated, Internal.
        Then the failed message and those after it stay, so that the order holds. Yields nothing if another process
        still sends after `wait` seconds.
        """
        with file_lock(Path(f"{self._path}.lock"), wait) as is_ours:
            while is_ours and (head := self._select("WHERE refusal IS NULL ORDER BY position LIMIT 1")):
                message = head[0]
                try:
                    outcome: Receipt | ChatboothError = send(message.recipient, message.text, message.message_id)
                except PASSING:
                    raise
                except ChatboothError as refusal:
                    self._refuse(message, refusal)
                    outcome = refusal
                else:
                    self.drop(message.message_id)
                yield message, outcome

    def close(self) -> None:
        """Close the file."""
        if self._process.is_here:
            self._opened.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _database(self) -> apsw.Connection:
        # SQLite's locks do not live on in the child of a fork. Two processes would change the file at once.
        self._process.check()
        return self._opened

    def _select(self, condition: str, *values: str | bytes) -> list[QueuedMessage]:
        with _disk_errors(self._path):
            # Every condition is a constant of this module.
            query = f"SELECT message_id, recipient, text, refusal FROM outbox {condition}"  # noqa: S608
            return [QueuedMessage(*row) for row in self._database.execute(query, values)]

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Make the changes of the block in one transaction."""
        with _disk_errors(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def _refuse(self, message: QueuedMessage, refusal: ChatboothError) -> None:
        with _disk_errors(self._path):
            self._database.execute(
                "UPDATE outbox SET refusal = ? WHERE message_id = ?", (str(refusal), message.message_id)
            )


def set_aside(path: Path) -> Path | None:
    """Rename a damaged outbox, so that a new one can take its place, and return its new name.

    None means that another process has done so. Raises OSError.
    """
    with file_lock(Path(f"{path}.lock"), _BUSY_TIMEOUT) as is_ours:
        if not is_ours:
            raise BlockingIOError(errno.EAGAIN, "another command uses the outbox", str(path))
        try:
            Outbox(path).close()
        except OutboxDamaged:
            return _renamed(path)
        return None


def _renamed(path: Path) -> Path:
    kept = damaged_name(path)
    # The journal goes first. Left alone beside a new outbox, it would be rolled back into that one.
    with contextlib.suppress(FileNotFoundError):
        Path(f"{path}-journal").rename(f"{kept}-journal")
    path.rename(kept)
    sync_directory(path.parent)
    return kept


def _check_whole(database: apsw.Connection, path: Path) -> None:
    """Raise OutboxDamaged unless the file is empty or a whole outbox."""
    [(verdict,)] = database.execute("PRAGMA quick_check(1)")
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    columns = tuple(column for _, column, *_ in database.execute("PRAGMA table_info(outbox)"))
    if verdict != "ok":
        raise OutboxDamaged(0, f"the outbox is damaged ({verdict})", str(path))
    if tables and (tables != {"outbox", "sqlite_sequence"} or columns != _COLUMNS):
        raise OutboxDamaged(0, "the file is another program's and no outbox", str(path))


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as OSError, in words for the file's owner."""
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise OutboxDamaged(0, f"the outbox is damaged ({error})", str(path)) from error
    except apsw.Error as error:
        raise OSError(0, f"the outbox cannot be used: {error}", str(path)) from error
