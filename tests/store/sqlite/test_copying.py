"""A copy takes its place only when it is whole, and one that fails leaves nothing."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from chatbooth_grpc.booth.admin_store import MaintenanceFailed
from chatbooth_grpc.store.sqlite.copying import copy_pages, damage_in, new_file, open_alone

MIB = 1 << 20


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow past a size, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def database(path: Path, size: int = 0) -> apsw.Connection:
    """A database of at least a size, open for reading and writing."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("CREATE TABLE blobs (content BLOB); INSERT INTO blobs VALUES (zeroblob(?))", (size,)).fetchall()
    return connection


def copy(connection: apsw.Connection, target: Path, *, force: bool = False) -> None:
    """Copy a database as a backup does."""
    with new_file(target, force=force) as part:
        for _ in copy_pages(connection, part):
            pass


def damage(path: Path) -> list[str]:
    """Return the damage that is found in a file."""
    with closing(open_alone(path)) as connection:
        return damage_in(connection)


def files(folder: Path) -> set[str]:
    """The names in a folder."""
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[apsw.Connection]:
    (tmp_path / "source").mkdir()
    with closing(database(tmp_path / "source" / "source.db", 4 * MIB)) as connection:
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies"


def test_a_copy_is_whole_and_private_whatever_the_umask(source: apsw.Connection, folder: Path) -> None:
    previous = os.umask(0)
    try:
        copy(source, folder / "copy.db")
    finally:
        os.umask(previous)
    assert files(folder) == {"copy.db"}
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o600
    assert damage(folder / "copy.db") == []
    assert files(folder) == {"copy.db"}


def test_a_copy_reaches_the_disk_before_its_name(
    source: apsw.Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, set[str]]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        name = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((name, {each.partition(".part-")[0] + (".part" * (".part-" in each)) for each in files(folder)}))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    copy(source, folder / "copy.db")
    assert synced == [("file", {"copy.db.part"}), ("folder", {"copy.db"})]


def test_a_full_disk_leaves_nothing_and_says_so(source: apsw.Connection, folder: Path) -> None:
    with (
        largest_file(MIB),
        pytest.raises(MaintenanceFailed, match=r"Cannot write .*: .*Nothing was left"),
    ):
        copy(source, folder / "copy.db")
    assert files(folder) == set()


def test_a_failed_copy_leaves_the_file_that_it_was_to_replace(source: apsw.Connection, folder: Path) -> None:
    (folder / "copy.db").write_text("precious")
    with largest_file(MIB), pytest.raises(MaintenanceFailed):
        copy(source, folder / "copy.db", force=True)
    assert files(folder) == {"copy.db"}
    assert (folder / "copy.db").read_text() == "precious"


def test_a_file_that_is_made_meanwhile_is_not_replaced(source: apsw.Connection, folder: Path) -> None:
    with pytest.raises(MaintenanceFailed, match="exists already"), new_file(folder / "copy.db", force=False):
        (folder / "copy.db").write_text("precious")
    assert files(folder) == {"copy.db"}
    assert (folder / "copy.db").read_text() == "precious"


def test_a_folder_that_does_not_exist_is_named(source: apsw.Connection, tmp_path: Path) -> None:
    with pytest.raises(MaintenanceFailed, match=r"nowhere.*no such file"):
        copy(source, tmp_path / "nowhere" / "copy.db")


def test_what_killed_copies_left_goes_with_the_next_one(source: apsw.Connection, folder: Path) -> None:
    (folder / "copy.db.part-dead").write_text("left by a killed process")
    (folder / "other.db.part-dead").write_text("another file's")
    with (folder / "copy.db.part-live").open("w") as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        copy(source, folder / "copy.db")
    assert files(folder) == {"copy.db", "copy.db.part-live", "other.db.part-dead"}


def test_what_another_user_has_put_in_the_place_of_a_part_keeps_nobody_waiting(folder: Path) -> None:
    os.mkfifo(folder / "copy.db.part-pipe")
    (folder / "other").write_text("another file's")
    (folder / "copy.db.part-link").symlink_to(folder / "other")
    with new_file(folder / "copy.db", force=False) as part:
        part.write_text("whole")
    assert files(folder) == {"copy.db", "copy.db.part-link", "other"}


def test_damage_is_found(source: apsw.Connection, folder: Path) -> None:
    copy(source, folder / "copy.db")
    content = bytearray((folder / "copy.db").read_bytes())
    content[4096:4196] = bytes(100)
    (folder / "copy.db").write_bytes(content)
    assert damage(folder / "copy.db")
