"""Backups that are named by their times, of which the newest are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.admin.commands.dated_backups import DatedBackups, require_folder
from chatbooth_grpc.client.failures.command_failure import Misuse

DAY = 86_400
STORE = Path("/anywhere/chatbooth.db")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_backup_is_named_by_its_store_and_its_time(tmp_path: Path) -> None:
    assert DatedBackups(tmp_path, STORE).next(0) == tmp_path / "chatbooth-19700101T000000Z.db"
    assert DatedBackups(tmp_path, Path("chat")).next(DAY) == tmp_path / "chat-19700102T000000Z"


def test_the_newest_backups_are_kept_and_no_other_file_is_removed(tmp_path: Path) -> None:
    dated = DatedBackups(tmp_path, STORE)
    made = [dated.next(day * DAY) for day in range(5)]
    others = {
        *("chatbooth.db", "monday.db", "other-19700101T000000Z.db", "chatbooth-19700101T000000Z.db.txt"),
        "chatbooth-19700101T000000Z_db",
    }
    for name in (*others, *(path.name for path in reversed(made))):
        (tmp_path / name).touch()
    assert dated.remove_all_but(2) == 3
    assert names(tmp_path) == {*others, made[3].name, made[4].name}
    assert dated.remove_all_but(2) == 0


def test_what_a_killed_backup_has_left_goes_when_its_turn_comes(tmp_path: Path) -> None:
    dated = DatedBackups(tmp_path, STORE)
    left, first, second = (dated.next(day * DAY) for day in range(3))
    part = tmp_path / f"{left.name}.part-x7_abc"
    part.touch()
    # No whole backup is newer than the part, so it may be of a backup that still runs.
    assert dated.remove_all_but(1) == 0
    first.touch()
    second.touch()
    # A part is no backup, so it takes no backup's place.
    running = tmp_path / f"{dated.next(3 * DAY).name}.part-x7_abc"
    running.touch()
    assert dated.remove_all_but(2) == 1
    assert names(tmp_path) == {first.name, second.name, running.name}


def test_only_a_folder_has_dated_backups(tmp_path: Path) -> None:
    require_folder(tmp_path)
    with pytest.raises(Misuse, match="needs a folder"):
        require_folder(tmp_path / "none")
