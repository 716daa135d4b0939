"""Copying a database into a new file, which is in place only when it is whole and durable."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw

from chatbooth_grpc.booth.admin_store import MaintenanceFailed, Progress

# A step copies 8 MiB or so. The writer commits meanwhile as before, because a reader keeps no writer waiting.
PAGES_PER_STEP = 2_000

# How a file system refuses a second name for a file.
NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}


def open_alone(path: Path) -> apsw.Connection:
    """Open a file that nobody writes, for reading, and leave everything beside it alone."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"file:{quote(str(path))}?immutable=1", flags=flags)


@contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[Path]:
    """Give an empty private file. At the end of the block it takes the place of `target`; an error removes it.

    Until then, `target` stays as it is. Without `force`, an existing `target` is never replaced. Raises
    MaintenanceFailed, also in place of the block's errors of the system and of SQLite.
    """
    with _told(target):
        if not force and os.path.lexists(target):
            raise FileExistsError
        remove_abandoned(target)
        descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.part-", dir=target.parent)
        part = Path(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield part
            os.fsync(descriptor)
            _put_in_place(part, target, force=force)
            sync_folder(target.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)


def copy_pages(source: apsw.Connection, part: Path) -> Iterator[Progress]:
    """Copy the database that `source` reads into a file that is empty.

    `source` is inside a read transaction, or nobody else writes its database. So the copy is of one moment.
    """
    copy = apsw.Connection(str(part))
    try:
        # If the copy does not finish, the file is removed. Its last fsync comes before its new name.
        copy.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").fetchall()
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(PAGES_PER_STEP)
                yield Progress("copying", backup.page_count - backup.remaining, backup.page_count)
    finally:
        copy.close()


def damage_in(connection: apsw.Connection) -> list[str]:
    """Return SQLite's words for each damage in a database. Empty if it is intact. Raises apsw.Error."""
    found = [str(words) for (words,) in connection.execute("PRAGMA integrity_check(20)")]
    return [] if found == ["ok"] else found


def remove_abandoned(target: Path) -> None:
    """Remove the parts of `target` that killed processes have left."""
    for part in target.parent.glob(f"{_escaped(target.name)}.part-*"):
        with suppress(OSError), open(part, "rb", opener=_open_own) as file:
            # A process that still writes its part holds this lock.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def _open_own(path: str, flags: int) -> int:
    """Open a file that this program may have left. Another user may have put a pipe or a link in its place."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(part: Path, target: Path, *, force: bool) -> None:
    if force:
        part.replace(target)
        return
    try:
        # Unlike a rename, this fails if somebody has made the target meanwhile.
        os.link(part, target)
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        part.rename(target)
    else:
        part.unlink()


@contextmanager
def _told(target: Path) -> Iterator[None]:
    """Raise errors of the system and of SQLite as MaintenanceFailed, in words for a person."""
    try:
        yield
    except FileExistsError as error:
        raise MaintenanceFailed(f"{target} exists already. Name another file, or say --force to replace it.") from error
    except (OSError, apsw.Error) as error:
        raise MaintenanceFailed(f"Cannot write {target}: {_words(error)}. Nothing was left there.") from error


def _words(error: OSError | apsw.Error) -> str:
    if isinstance(error, apsw.FullError):
        return "the disk is full"
    if isinstance(error, OSError):
        return "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()
    return str(error) or "the disk refuses it"


def _escaped(name: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)
