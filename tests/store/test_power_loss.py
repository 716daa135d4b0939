"""The disk double itself: the files that a power loss leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from tests.store.disk_actions import Failing
from tests.store.power_loss import Disk, lay_out

NEW_WAL = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_READWRITE
NEW_DATABASE = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_READWRITE


@pytest.fixture
def open_file(disk: Disk, tmp_path: Path) -> Callable[[str, int], apsw.VFSFile]:
    """Open a file on the disk by name and flags, as SQLite does. A WAL gets the mode of its database."""
    (tmp_path / "x.db").touch()
    return lambda name, flags: disk.xOpen(str(tmp_path / name), [flags, 0])


def counts_after_power_loss(disk: Disk, directory: Path, synchronous: str) -> tuple[int, int]:
    """Commit five rows. Return how many there are before and after a power loss."""
    connection = apsw.Connection(str(directory / "x.db"), vfs=disk.name)
    connection.execute("PRAGMA journal_mode = WAL; CREATE TABLE numbers (number); PRAGMA wal_checkpoint").fetchall()
    connection.pragma("synchronous", synchronous)
    for number in range(5):
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
    lay_out(disk.after_power_loss(), directory / "after")
    after = apsw.Connection(str(directory / "after" / "x.db"))
    counts = [db.execute("SELECT count(*) FROM numbers").get for db in (connection, after)]
    connection.close()
    after.close()
    return counts[0], counts[1]


def test_writes_that_sqlite_syncs_are_kept(disk: Disk, tmp_path: Path) -> None:
    assert counts_after_power_loss(disk, tmp_path, "FULL") == (5, 5)


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_writes_that_sqlite_does_not_sync_are_lost(disk: Disk, tmp_path: Path, synchronous: str) -> None:
    assert counts_after_power_loss(disk, tmp_path, synchronous) == (5, 0)


def test_a_write_lasts_from_its_sync_on(disk: Disk, open_file: Callable[[str, int], apsw.VFSFile]) -> None:
    file = open_file("x.db-wal", NEW_WAL)
    file.xWrite(b"abcdef", 0)
    file.xSync(apsw.SQLITE_SYNC_NORMAL)
    file.xWrite(b"XY", 2)
    file.xWrite(b"Z", 8)
    assert disk.after_power_loss() == {"x.db-wal": b"abcdef"}
    assert disk.after_power_loss(lambda: True) == {"x.db-wal": b"abXYef\0\0Z"}
    file.xSync(apsw.SQLITE_SYNC_NORMAL)
    assert disk.after_power_loss() == {"x.db-wal": b"abXYef\0\0Z"}
    file.xClose()


def test_a_truncation_lasts_from_its_sync_on(disk: Disk, open_file: Callable[[str, int], apsw.VFSFile]) -> None:
    file = open_file("x.db-wal", NEW_WAL)
    file.xWrite(b"abcdef", 0)
    file.xSync(apsw.SQLITE_SYNC_NORMAL)
    file.xTruncate(2)
    assert disk.after_power_loss() == {"x.db-wal": b"abcdef"}
    file.xSync(apsw.SQLITE_SYNC_NORMAL)
    assert disk.after_power_loss() == {"x.db-wal": b"ab"}
    file.xClose()


def test_a_new_file_lasts_once_its_directory_is_synced(
    disk: Disk, open_file: Callable[[str, int], apsw.VFSFile]
) -> None:
    database = open_file("y.db", NEW_DATABASE)
    database.xWrite(b"data", 0)
    database.xSync(apsw.SQLITE_SYNC_NORMAL)
    wal = open_file("y.db-wal", NEW_WAL)
    assert disk.after_power_loss() == {}
    wal.xSync(apsw.SQLITE_SYNC_NORMAL)
    assert disk.after_power_loss() == {"y.db": b"data", "y.db-wal": b""}
    database.xClose()
    wal.xClose()


def test_a_file_from_before_lasts(disk: Disk, open_file: Callable[[str, int], apsw.VFSFile], tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"old")
    file = open_file("x.db", NEW_DATABASE)
    file.xWrite(b"new", 0)
    assert disk.after_power_loss() == {"x.db": b"old"}
    file.xClose()


@pytest.mark.parametrize("directory_is_synced", [False, True])
def test_a_deletion_lasts_once_the_directory_is_synced(
    disk: Disk, open_file: Callable[[str, int], apsw.VFSFile], tmp_path: Path, directory_is_synced: bool
) -> None:
    file = open_file("x.db-wal", NEW_WAL)
    file.xSync(apsw.SQLITE_SYNC_NORMAL)
    file.xClose()
    disk.xDelete(str(tmp_path / "x.db-wal"), directory_is_synced)
    assert disk.after_power_loss() == ({} if directory_is_synced else {"x.db-wal": b""})


def test_a_failed_sync_loses_the_writes_before_it(disk: Disk, open_file: Callable[[str, int], apsw.VFSFile]) -> None:
    file = open_file("x.db-wal", NEW_WAL)
    file.xSync(apsw.SQLITE_SYNC_NORMAL)
    file.xWrite(b"abc", 0)
    with disk.before("sync", Failing(apsw.SQLITE_IOERR_FSYNC)), pytest.raises(apsw.IOError):
        file.xSync(apsw.SQLITE_SYNC_NORMAL)
    file.xSync(apsw.SQLITE_SYNC_NORMAL)
    assert disk.after_power_loss() == {"x.db-wal": b""}
    assert file.xRead(3, 0) == b"abc", "the running system still reads it"
    file.xClose()
