"""How a copy of a store is taken, and how it is put back."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw


def the_file(path: Path, folder: Path) -> None:
    shutil.copy2(path, folder)


def all_files(path: Path, folder: Path) -> None:
    for file in path.parent.iterdir():
        shutil.copy2(file, folder)


def the_file_and_its_log(path: Path, folder: Path) -> None:
    for file in path.parent.iterdir():
        if not file.name.endswith(".seal"):
            shutil.copy2(file, folder)


def sqlites_backup(path: Path, folder: Path) -> None:
    source, copy = apsw.Connection(str(path)), apsw.Connection(str(folder / path.name))
    with copy.backup("main", source, "main") as backup:
        backup.step()
    source.close()
    copy.close()


def vacuum_into(path: Path, folder: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("VACUUM INTO ?", (str(folder / path.name),))
    connection.close()


def remove_log(path: Path) -> None:
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def by_cp(copy: Path, path: Path) -> Path:
    """Write into the existing files. `shutil.copyfile` opens them as cp does."""
    remove_log(path)
    for file in copy.iterdir():
        shutil.copyfile(file, path.with_name(file.name))
    return path


def by_cp_with_times(copy: Path, path: Path) -> Path:
    remove_log(path)
    for file in copy.iterdir():
        shutil.copy2(file, path.with_name(file.name))
    return path


def by_mv(copy: Path, path: Path) -> Path:
    remove_log(path)
    for file in copy.iterdir():
        file.replace(path.with_name(file.name))
    return path


def in_another_folder(copy: Path, path: Path) -> Path:
    other = path.parent.with_name("another machine")
    shutil.copytree(copy, other)
    return other / path.name


def by_renaming_folders(copy: Path, path: Path) -> Path:
    path.parent.rename(path.parent.with_name("before"))
    copy.rename(path.parent)
    return path


TAKEN = [the_file, the_file_and_its_log, all_files, sqlites_backup, vacuum_into]


PUT_BACK = [by_cp, by_cp_with_times, by_mv, in_another_folder, by_renaming_folders]
