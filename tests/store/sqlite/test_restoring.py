"""A restore begins a new epoch, and a crash at any step leaves one whole store."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from chatbooth_grpc.booth.admin_store import Backup, Finding, MaintenanceFailed, Restoration
from chatbooth_grpc.store.sqlite.copying import open_alone
from chatbooth_grpc.store.sqlite.sqlite_place import SQLitePlace
from tests.contract.stores import SQLiteHome, administration, log_in, send_texts, sign_up, texts
from tests.store.earlier import make_earlier_store
from tests.store.serving_process import ROOT, ServingProcess
from tests.store.sqlite.test_copying import largest_file


def restore(home: SQLiteHome, backup: Path) -> Restoration:
    """Restore a backup."""
    *_, restored = SQLitePlace(home.path).restore(backup)
    assert isinstance(restored, Restoration)
    return restored


def names(home: SQLiteHome) -> set[str]:
    """The names of the files beside a store, without the folder's own."""
    return {path.name.removeprefix(home.path.name) for path in home.path.parent.iterdir()}


def texts_of(home: SQLiteHome) -> list[str]:
    """The texts in the mailbox of ann."""
    with home.open() as store:
        return texts(store, log_in(store, "ann"))


@pytest.fixture
def backup(home: SQLiteHome, tmp_path: Path) -> Path:
    """A backup of the store with one text, after which another was stored."""
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "before")
        *_, made = administration(store).backup(tmp_path / "backup.db", force=False)
        assert isinstance(made, Backup)
        send_texts(store, ann, "ann", "after")
    return made.path


def epoch_of(path: Path) -> bytes:
    """The epoch in a file that nobody serves."""
    connection = open_alone(path)
    try:
        epoch: bytes = connection.execute("SELECT epoch FROM store").get
        return epoch
    finally:
        connection.close()


def test_a_restored_store_is_the_backup_with_another_epoch(home: SQLiteHome, backup: Path) -> None:
    content, epoch = backup.read_bytes(), epoch_of(home.path)
    restored = restore(home, backup)
    assert restored.messages == 1
    assert epoch_of(home.path) not in {epoch, epoch_of(backup)}
    assert backup.read_bytes() == content
    assert home.path.stat().st_mode & 0o777 == 0o600
    assert restored.former is not None
    assert names(home) == {"", ".last-backup", ".seal", restored.former.name.removeprefix(home.path.name)}
    assert texts_of(home) == ["before"]


def test_the_first_start_after_a_restore_begins_no_further_epoch(
    home: SQLiteHome, backup: Path, caplog: pytest.LogCaptureFixture
) -> None:
    restore(home, backup)
    epoch = epoch_of(home.path)
    for _ in range(2):
        with home.open() as store:
            assert store.epoch == epoch
    assert caplog.records == []


def test_a_file_that_is_put_in_the_place_of_a_restored_store_is_noticed(
    home: SQLiteHome, backup: Path, caplog: pytest.LogCaptureFixture
) -> None:
    restore(home, backup)
    shutil.copy(backup, home.path)
    with home.open() as store:
        assert store.epoch != epoch_of(backup)
    assert "it begins a new epoch" in caplog.text


def test_the_store_before_it_is_kept_whole_with_what_its_log_had(home: SQLiteHome, backup: Path) -> None:
    server = ServingProcess(home.path)
    server.store("only in the log")
    server.kill()
    assert "-wal" in names(home)
    restored = restore(home, backup)
    assert texts_of(home) == ["before"]
    assert restored.former is not None
    restored.former.replace(home.path)
    home.path.with_name(f"{home.path.name}.seal").unlink()
    assert texts_of(home) == ["before", "after", "only in the log"]


def test_a_log_that_does_not_belong_to_the_old_file_is_kept_beside_it(home: SQLiteHome, backup: Path) -> None:
    server = ServingProcess(home.path)
    server.store("only in the log")
    server.kill()
    log = home.path.with_name(f"{home.path.name}-wal").read_bytes()
    home.path.write_bytes(b"overwritten" * 1_000)
    restored = restore(home, backup)
    assert restored.former is not None
    assert restored.former.read_bytes() == b"overwritten" * 1_000
    assert Path(f"{restored.former}-wal").read_bytes() == log
    assert texts_of(home) == ["before"]


def test_a_file_system_without_second_names_keeps_a_copy(
    home: SQLiteHome, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    content = home.path.read_bytes()
    restored = restore(home, backup)
    assert restored.former is not None
    assert restored.former.read_bytes() == content
    assert restored.former.stat().st_mode & 0o777 == 0o600
    assert texts_of(home) == ["before"]


def test_a_restore_is_refused_while_a_server_runs(home: SQLiteHome, backup: Path) -> None:
    server = ServingProcess(home.path)
    with pytest.raises(MaintenanceFailed, match=r"in use.*Nothing was changed"):
        restore(home, backup)
    server.store("still there")
    server.close()
    assert texts_of(home) == ["before", "after", "still there"]


def test_a_backup_is_restored_where_no_store_is(home: SQLiteHome, backup: Path, tmp_path: Path) -> None:
    other = SQLiteHome(tmp_path / "other")
    assert restore(other, backup) == Restoration(1, None)
    assert texts_of(other) == ["before"]


def test_a_backup_of_an_earlier_schema_is_restored(home: SQLiteHome, backup: Path, tmp_path: Path) -> None:
    earlier = SQLiteHome(tmp_path / "earlier")
    make_earlier_store(earlier, 3, "bob")
    epoch = epoch_of(earlier.path)
    restore(home, earlier.path)
    assert epoch_of(home.path) != epoch
    with home.open() as store:
        assert store.account("bob")


def damaged(backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[2 * 4096 + 8 : 5 * 4096] = bytes(3 * 4096 - 8)
    backup.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda backup: backup.unlink(), "no such file"),
        (lambda backup: backup.write_bytes(b"text" * 5_000), "not a chatbooth store"),
        (damaged, "is damaged"),
        (lambda backup: Path(f"{backup}-wal").write_bytes(b"log"), "is not whole"),
    ],
    ids=["missing", "foreign", "damaged", "with a log"],
)
def test_what_is_no_whole_backup_is_refused(home: SQLiteHome, backup: Path, spoil: object, words: str) -> None:
    assert callable(spoil)
    spoil(backup)
    before = names(home)
    with pytest.raises(MaintenanceFailed, match=words):
        restore(home, backup)
    assert names(home) == before
    assert texts_of(home) == ["before", "after"]


def test_the_store_is_not_restored_from_itself(home: SQLiteHome, backup: Path) -> None:
    with pytest.raises(MaintenanceFailed, match="the store itself"):
        restore(home, home.path)
    assert texts_of(home) == ["before", "after"]


@pytest.mark.parametrize("has_store", [True, False])
def test_a_full_disk_changes_nothing(home: SQLiteHome, backup: Path, tmp_path: Path, has_store: bool) -> None:
    target = home if has_store else SQLiteHome(tmp_path / "other")
    before = names(target)
    with largest_file(8_192), pytest.raises(MaintenanceFailed, match="Cannot write"):
        restore(target, backup)
    assert names(target) == before


def steps_of(home: SQLiteHome, other: Path, work: str) -> Iterator[None]:
    """Let a process die at each step of some work in turn, on the same store. Give each state that this leaves."""
    for number in count():
        command = [
            sys.executable,
            "-m",
            "tests.store.killed_administration",
            str(home.path),
            str(other),
            work,
            str(number),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
        yield
        if done.returncode == 0:
            assert number > 5
            return


def test_a_restore_that_is_killed_leaves_one_store_or_the_other(home: SQLiteHome, backup: Path, tmp_path: Path) -> None:
    server = ServingProcess(home.path)
    server.store("only in the log")
    server.kill()
    former = tmp_path / "former"
    shutil.copytree(home.path.parent, former)
    seen = []
    for _ in steps_of(home, backup, "restore"):
        seen.append(texts_of(home))
        epoch = epoch_of(home.path)
        assert seen[-1] in (["before", "after", "only in the log"], ["before"])
        if seen[-1] == ["before"]:
            assert epoch != epoch_of(backup)
            # Every file but the one that the killed restore was about to remove can be restored again.
            kept = [path for path in home.path.parent.glob("*.before-restore-*") if not path.samefile(home.path)]
            assert kept
        shutil.rmtree(home.path.parent)
        shutil.copytree(former, home.path.parent)
    assert seen[0] != seen[-1] == ["before"]


def test_a_killed_restore_leaves_nothing_that_the_next_one_does_not_remove(home: SQLiteHome, backup: Path) -> None:
    kept = 0
    for _ in steps_of(home, backup, "restore"):
        restored = restore(home, backup)
        kept += 1
        assert restored.former is not None
        assert not list(home.path.parent.glob("*.part-*"))
        assert all(path.stat().st_nlink == 1 for path in home.path.parent.iterdir())
        assert texts_of(home) == ["before"]
    assert kept > 5


def test_a_link_that_is_named_like_a_former_store_is_left_alone(home: SQLiteHome, backup: Path) -> None:
    nowhere, store = (Path(f"{home.path}.before-restore-{name}") for name in ("nowhere", "store"))
    nowhere.symlink_to("absent")
    store.symlink_to(home.path)
    restore(home, backup)
    assert nowhere.is_symlink()
    assert store.is_symlink()


def test_a_backup_that_is_killed_leaves_the_store_and_no_half_backup(
    home: SQLiteHome, backup: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target.db"
    for _ in steps_of(home, target, "backup"):
        assert texts_of(home) == ["before", "after"]
        if target.exists():
            assert not [item for item in SQLitePlace(home.path).verify(target) if isinstance(item, Finding)]
            target.unlink()
    assert len(list(tmp_path.glob("target.db*"))) <= 1


def test_a_vacuum_that_is_killed_leaves_the_store(home: SQLiteHome, backup: Path) -> None:
    for _ in steps_of(home, backup, "vacuum"):
        assert texts_of(home) == ["before", "after"]


def test_an_old_file_that_is_put_in_place_by_hand_is_noticed(home: SQLiteHome, backup: Path) -> None:
    with home.open() as store:
        epoch = store.epoch
    shutil.copy(backup, home.path)
    with home.open() as store:
        assert store.epoch != epoch
