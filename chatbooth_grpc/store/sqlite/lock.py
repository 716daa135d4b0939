"""A lock on a store's file, so that one server has it, under all of its names."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# An open file description lock ends with its descriptor and leaves the locks of SQLite, which are POSIX locks, alone.
# Python names the command on Linux only; the number for macOS is that of its <sys/fcntl.h>.
_SET_LOCK: int = getattr(fcntl, "F_OFD_SETLK", 90)

# SQLite locks bytes close to 2**30. This one is far from them and from the end of any file.
_LOCKED_BYTE = 1 << 62

# Closing any descriptor of a file drops all POSIX locks that the process holds on it, and with them those of SQLite.
# So before a process opens a file by another name, it must know whether it serves that file.
_held: set[FileId] = set()
_guard = threading.Lock()


class FileId(NamedTuple):
    """The identity of a file, the same for each of its names: its device and its inode."""

    device: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileId:
        """Return the id of the file with this status."""
        return cls(found.st_dev, found.st_ino)


class StoreLock:
    """The lock on a store's file, held from its making until `release`, or until the process ends.

    Release it after every SQLite connection to the file is closed: the release drops their locks.
    """

    def __init__(self, path: Path) -> None:
        """Make the file if it is absent, private to the user, and lock it.

        Raises BlockingIOError if another server holds the lock. Raises OSError if the file cannot be opened or locked.
        """
        with _guard:
            _check_earlier_lock(path)
            self.descriptor = _open_unheld(path)
            try:
                fcntl.fcntl(self.descriptor, _SET_LOCK, _whole_lock())
            except BaseException:
                os.close(self.descriptor)
                raise
            self.file_id = FileId.of(os.fstat(self.descriptor))
            _held.add(self.file_id)

    def release(self) -> None:
        """Let another server have the store."""
        with _guard:
            _held.discard(self.file_id)
            os.close(self.descriptor)


def _open_unheld(path: Path) -> int:
    with suppress(FileNotFoundError):
        if FileId.of(path.stat()) in _held:
            raise BlockingIOError(f"this process serves {path} already")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _check_earlier_lock(path: Path) -> None:
    """Refuse a store that an earlier version serves.

    That version locks a file beside the store. If nobody holds that lock, this removes the file.
    """
    beside = Path(f"{path}.lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        beside.unlink()
    finally:
        os.close(descriptor)


def _whole_lock() -> bytes:
    """Return the `struct flock` that locks the byte for writing."""
    if sys.platform == "darwin":
        return struct.pack("qqihh", _LOCKED_BYTE, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
    return struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)
