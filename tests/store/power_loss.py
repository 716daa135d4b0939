"""A disk for SQLite that knows which bytes are durable, and which a power loss leaves.

A `Disk` is an apsw VFS over SQLite's own. Beside each real file it keeps the bytes as of the file's last sync and the
changes since. A file's name, too, lasts only once its directory is synced: SQLite does that with the first sync of a
journal or WAL that it opened to create, and when it deletes a file and says so. A sync that fails loses what it was to
make durable, as on Linux, where the pages count as clean afterwards.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple

import apsw

if TYPE_CHECKING:
    from typing_extensions import Buffer

Call = Literal["read", "write", "sync"]
Image = Mapping[str, bytes]

_JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_TRACKED = apsw.SQLITE_OPEN_MAIN_DB | _JOURNALS


class _Change(NamedTuple):
    """A write of `data` at `offset`; without data, the file's length set to `offset`."""

    offset: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        content.extend(bytes(max(0, self.offset - len(content))))
        if self.data is None:
            del content[self.offset :]
        else:
            content[self.offset : self.offset + len(self.data)] = self.data


@dataclass(slots=True, eq=False)
class _Content:
    """The content of one file: the durable bytes, and the changes since the last sync."""

    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[_Change] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.unsynced:
            change.apply(self.durable)
        self.unsynced.clear()


def nothing_more() -> bool:
    """Let no unsynced change survive."""
    return False


class Disk(apsw.VFS):
    """A VFS to open a store with, by its `name`. The files must all lie in one directory."""

    def __init__(self) -> None:
        self.name = f"disk-{uuid.uuid4().hex}"
        self.lock = threading.Lock()
        self._actions: list[tuple[Call, Callable[[str], None]]] = []
        self._names: dict[str, _Content] = {}
        self._durable_names: dict[str, _Content] = {}
        super().__init__(self.name, "")

    def after_power_loss(self, survives: Callable[[], bool] = nothing_more) -> Image:
        """Return the files as a power loss leaves them now. `survives` decides on each unsynced change."""
        with self.lock:
            return dict(self._remains(survives))

    def _remains(self, survives: Callable[[], bool]) -> Iterator[tuple[str, bytes]]:
        for name in sorted(self._names.keys() | self._durable_names.keys()):
            content = (self._names if survives() else self._durable_names).get(name)
            if content is None:
                continue
            remains = bytearray(content.durable)
            for change in content.unsynced:
                if survives():
                    change.apply(remains)
            yield Path(name).name, bytes(remains)

    @contextmanager
    def before(self, call: Call, action: Callable[[str], None]) -> Iterator[None]:
        """Run `action` with the file's name before every such call. The call fails with the error that it raises."""
        entry = (call, action)
        self._actions.append(entry)
        try:
            yield
        finally:
            self._actions.remove(entry)

    def run_actions(self, call: Call, name: str) -> None:
        """Run the actions that tests have set before `call`."""
        for wanted, action in list(self._actions):
            if wanted == call:
                action(name)

    def sync_directory(self) -> None:
        """Make the names of all files durable, and the removal of deleted ones."""
        self._durable_names = dict(self._names)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None or not flags[0] & _TRACKED:
            return apsw.VFSFile("", name, flags)
        path = name if isinstance(name, str) else name.filename()
        with self.lock:
            if path not in self._names and Path(path).exists():
                found = _Content(bytearray(Path(path).read_bytes()))
                self._names[path] = self._durable_names[path] = found
            opened = _File(self, name, flags, path)
            opened.content = self._names.setdefault(path, opened.content)
            return opened

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        with self.lock:
            self._names.pop(filename, None)
            if syncdir:
                self.sync_directory()


class _File(apsw.VFSFile):
    """A file on a `Disk`."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename, flags: list[int], path: str) -> None:
        self._disk = disk
        self._name = Path(path).name
        self._directory_unsynced = bool(flags[0] & _JOURNALS and flags[0] & apsw.SQLITE_OPEN_CREATE)
        self.content = _Content()
        super().__init__("", name, flags)

    def excepthook(
        self, etype: type[BaseException] | None, evalue: BaseException | None, etraceback: TracebackType | None
    ) -> bool:
        """Ignore a fault that SQLite ignores, for example when it closes a file."""
        return isinstance(evalue, apsw.Error)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.run_actions("read", self._name)
        return super().xRead(amount, offset)

    def xWrite(self, data: Buffer, offset: int) -> None:  # noqa: N802
        self._disk.run_actions("write", self._name)
        with self._disk.lock:
            super().xWrite(data, offset)
            self.content.unsynced.append(_Change(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        with self._disk.lock:
            super().xTruncate(newsize)
            self.content.unsynced.append(_Change(newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        try:
            self._disk.run_actions("sync", self._name)
        except apsw.Error:
            with self._disk.lock:
                self.content.unsynced.clear()
            raise
        with self._disk.lock:
            super().xSync(flags)
            self.content.sync()
            if self._directory_unsynced:
                self._disk.sync_directory()
                self._directory_unsynced = False


def lay_out(image: Image, directory: Path) -> None:
    """Write the files of an image into a new directory."""
    directory.mkdir()
    for name, content in image.items():
        (directory / name).write_bytes(content)
