"""The time of the last backup is kept beside the store."""

from __future__ import annotations

import logging
import os
import stat
import time
from pathlib import Path

import pytest

from chatbooth_grpc.booth.admin_store import MaintenanceFailed
from chatbooth_grpc.store.sqlite.last_backup import last_backup, note_backup
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore


def test_only_a_backup_that_ended_well_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with SQLiteStore(path) as store:
        assert last_backup(path) == 0
        with pytest.raises(MaintenanceFailed):
            list(store.administration.backup(path, force=True))
        assert last_backup(path) == 0
        list(store.administration.backup(tmp_path / "copy.db", force=False))
    assert abs(last_backup(path) - time.time()) < 600
    assert stat.S_IMODE((tmp_path / "s.db.last-backup").stat().st_mode) == 0o600


def test_a_later_backup_moves_the_time(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    note_backup(path)
    os.utime(f"{path}.last-backup", (1_000, 1_000))
    assert last_backup(path) == 1_000
    note_backup(path)
    assert abs(last_backup(path) - time.time()) < 600


def test_a_time_that_cannot_be_noted_is_logged_and_fails_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        note_backup(tmp_path / "gone" / "s.db")
    assert [record.getMessage() for record in caplog.records] == ["the time of a backup is not noted"]
