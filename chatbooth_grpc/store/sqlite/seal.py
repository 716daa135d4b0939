"""The seal beside a store: which start of a server wrote to the store last, and how far."""

from __future__ import annotations

import logging
import os
import struct
import threading
import time
import uuid
import zlib
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.store.sqlite.lock import FileId

# The file holds the head, its checksum, and the mark, which each commit writes anew. All of it fits a sector.
_MAGIC = b"chatbooth seal 1"
_HEAD = struct.Struct("<16sQ16s16s16sQQQq")
_CHECKSUM = struct.Struct("<Q")
_MARK = struct.Struct("<Qq")
_MARK_OFFSET = _HEAD.size + _CHECKSUM.size
_SIZE = _MARK_OFFSET + _MARK.size

_SECOND = 1_000_000_000

# How far apart the mark's time and the file's change time may lie. Both are the moment of the latest write. A copy has
# the original's time in its mark, and its own moment as its change time, which no program can set.
_LAG = 2 * _SECOND

# The mark is written at most once in this many seconds. When it was written after each commit, a Send took up to a
# fifth longer: the writer released the interpreter's lock for it, and then had to wait for the threads that answer.
_MARK_INTERVAL = 0.02

# After a power loss the disk may have a mark that is older than the file's change time.
_LAG_AFTER_POWER_LOSS = 300 * _SECOND

_log = logging.getLogger(__name__)


class Phase(IntEnum):
    """The phase of the server's run in which it wrote the seal."""

    STARTING = 1
    RUNNING = 2
    CLOSED = 3


class FileState(NamedTuple):
    """A store's file between two runs. Its modification time is in nanoseconds."""

    inode: int = 0
    size: int = 0
    modified: int = 0

    @classmethod
    def of(cls, found: os.stat_result) -> FileState:
        """Return the state of the file with this status."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class Sealed(NamedTuple):
    """The content of a seal."""

    phase: Phase
    # The id of the start of the server that wrote the seal. The store has it too.
    start_id: bytes
    # The id of the start before. The store may still have it if the server ended while it was starting.
    previous_start_id: bytes
    # How many messages were ever stored, at least.
    messages: int
    # The store's file as it was closed.
    file: FileState = FileState()


class SealBroken(Exception):
    """There is no seal, or it cannot be trusted. The text says why, with the store as its subject."""


def _read(path: Path) -> Sealed:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            content, found = os.read(descriptor, _SIZE + 1), os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise SealBroken("it has no seal beside it") from None
    except OSError as error:
        raise SealBroken(f"its seal cannot be read: {error.strerror}") from error
    return _decode(content, found)


def _decode(content: bytes, found: os.stat_result) -> Sealed:
    head = content[: _HEAD.size]
    if len(content) != _SIZE or not head.startswith(_MAGIC) or content[_HEAD.size : _MARK_OFFSET] != _checksum(head):
        raise SealBroken("its seal is damaged")
    _, inode, boot, start_id, previous, phase, *file = _HEAD.unpack(head)
    messages, written = _MARK.unpack_from(content, _MARK_OFFSET)
    if inode != found.st_ino:
        raise SealBroken("its seal is a copy")
    survived_power_loss = phase == Phase.RUNNING and boot != _boot_id()
    if abs(found.st_ctime_ns - written) > (_LAG_AFTER_POWER_LOSS if survived_power_loss else _LAG):
        raise SealBroken("its seal was put back or changed")
    return Sealed(Phase(phase), start_id, previous, messages, FileState(*file))


def _encode_head(sealed: Sealed, inode: int) -> bytes:
    ids = (sealed.start_id, sealed.previous_start_id)
    head = _HEAD.pack(_MAGIC, inode, _boot_id(), *ids, sealed.phase, *sealed.file)
    return head + _checksum(head)


def _checksum(head: bytes) -> bytes:
    return _CHECKSUM.pack(zlib.crc32(head))


def _mark(messages: int) -> bytes:
    return _MARK.pack(messages, time.time_ns())


def _boot_id() -> bytes:
    """Return the id of the machine's current boot, or zeros if the system does not give one."""
    try:
        return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()).bytes
    except (OSError, ValueError):
        return bytes(16)


class Seal:
    """The seal of a store that is being served. A failure here loses no message.

    If the seal cannot be written, `tend` tries again. Until then, the next start may take the store for a copy, which
    is the safe mistake.
    """

    def __init__(self, store: Path) -> None:
        self._path = Path(f"{store}.seal")
        # Held while the seal is written, by the writer for a mark and by any thread for the whole.
        self._guard = threading.Lock()
        self._sealed: Sealed | None = None
        self._descriptor: int | None = None
        # Whether the open file has `_sealed`, and not the content before it.
        self._is_current = False
        self._head = b""
        self._messages = 0
        # The number in the file's mark, and when it was written, in monotonic seconds.
        self._marked_messages = 0
        self._marked_time = 0.0
        self._failing = LastingState(
            _log,
            "the seal beside the store cannot be written: the next start may take the store for a copy",
            "the seal beside the store is written again",
            quiet=0,
        )

    def read(self) -> Sealed:
        """Return the content of the seal that an earlier server left. Raises SealBroken."""
        return _read(self._path)

    def put(self, sealed: Sealed) -> bool:
        """Write the seal anew, on stable storage. Return whether that succeeded."""
        with self._guard:
            self._sealed, self._messages, self._is_current = sealed, sealed.messages, False
            return self._try_to_make()

    def note(self, messages: int) -> None:
        """Note that this many more messages are stored, after their commit. The mark may follow a little later."""
        with self._guard:
            self._messages += messages
            if time.monotonic() - self._marked_time >= _MARK_INTERVAL:
                self._write_mark()

    def catch_up(self) -> None:
        """Write the mark if it is out of date. The writer calls this when no commit follows at once."""
        with self._guard:
            self._write_mark()

    def tend(self) -> None:
        """Write the seal anew if it was removed, replaced or changed."""
        with self._guard:
            self._write_mark()
            if self._sealed is not None and not self._is_whole():
                self._try_to_make()

    def close(self, file: FileState | None) -> None:
        """End the seal. `file` is the state of the closed file. None means that its state is not known."""
        with self._guard:
            if self._sealed is not None and file is not None:
                self._sealed = self._sealed._replace(phase=Phase.CLOSED, file=file)
                self._try_to_make()
            self._sealed = None
            self._close_descriptor()

    def _write_mark(self) -> None:
        if self._descriptor is None or self._marked_messages == self._messages:
            return
        self._marked_time = time.monotonic()
        try:
            os.pwrite(self._descriptor, _mark(self._messages), _MARK_OFFSET)
        except OSError as error:
            self._failing.refused(str(error.strerror))
        else:
            self._marked_messages = self._messages

    def _is_whole(self) -> bool:
        if self._descriptor is None or not self._is_current:
            return False
        try:
            own, there = os.fstat(self._descriptor), self._path.stat()
            content = os.pread(self._descriptor, _SIZE + 1, 0)
        except OSError:
            return False
        if FileId.of(own) != FileId.of(there) or len(content) != _SIZE or not content.startswith(self._head):
            return False
        messages, written = _MARK.unpack_from(content, _MARK_OFFSET)
        return bool(messages == self._marked_messages and abs(own.st_ctime_ns - written) < _LAG)

    def _try_to_make(self) -> bool:
        try:
            self._make()
        except OSError as error:
            self._failing.refused(str(error.strerror))
            return False
        self._failing.worked()
        return True

    def _make(self) -> None:
        """Write the seal into a new file, and put that in the seal's place."""
        # The callers check this.
        assert self._sealed is not None  # noqa: S101
        new = Path(f"{self._path}.new")
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            head = _encode_head(self._sealed, os.fstat(descriptor).st_ino)
            os.pwrite(descriptor, head + _mark(self._messages), 0)
            os.fsync(descriptor)
            new.replace(self._path)
            # The rename has set the change time, so the mark is written once more.
            os.pwrite(descriptor, _mark(self._messages), _MARK_OFFSET)
            os.fsync(descriptor)
            _sync_folder(self._path.parent)
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                new.unlink()
            raise
        self._close_descriptor()
        self._descriptor, self._head, self._is_current = descriptor, head, True
        self._marked_messages = self._messages

    def _close_descriptor(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _sync_folder(folder: Path) -> None:
    """Make a rename in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
