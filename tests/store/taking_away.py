"""The ways to take its store from a running server. Each returns the way back, if any."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

Undo = Callable[[], object]
Take = Callable[[Path], Undo | None]


def log_of(path: Path) -> Path:
    """Return the path of the store's log."""
    return path.with_name(f"{path.name}-wal")


def _rename(path: Path) -> Undo:
    away = path.rename(path.with_name(f"{path.name}.away"))
    return lambda: away.rename(path)


def rename_file(path: Path) -> Undo:
    return _rename(path)


def rename_log(path: Path) -> Undo:
    return _rename(log_of(path))


def rename_folder(path: Path) -> Undo:
    return _rename(path.parent)


def remove_file(path: Path) -> None:
    path.unlink()


def remove_log(path: Path) -> None:
    log_of(path).unlink()


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _replace(path: Path) -> Undo:
    """Put a copy in the place of a file."""
    away = path.rename(path.with_name(f"{path.name}.away"))
    shutil.copy(away, path)
    return lambda: away.replace(path)


def replace_file(path: Path) -> Undo:
    return _replace(path)


def replace_log(path: Path) -> Undo:
    return _replace(log_of(path))


def replace_both(path: Path) -> Undo:
    undo = [_replace(path), _replace(log_of(path))]
    return lambda: [back() for back in undo]


def replace_file_by_a_rename(path: Path) -> None:
    shutil.copy(path, copy := path.with_name("copy"))
    copy.replace(path)


def replace_folder(path: Path) -> Undo:
    away = path.parent.rename(path.parent.with_name("away"))
    # A socket cannot be copied.
    shutil.copytree(away, path.parent, ignore=shutil.ignore_patterns("*.admin"))

    def undo() -> None:
        shutil.rmtree(path.parent)
        away.rename(path.parent)

    return undo


def link_folder_elsewhere(path: Path) -> Undo:
    """Rename the folder, and leave a link in its place that leads to another."""
    away = path.parent.rename(path.parent.with_name("away"))
    (other := path.parent.with_name("other")).mkdir()
    path.parent.symlink_to(other)

    def undo() -> None:
        path.parent.unlink()
        away.rename(path.parent)

    return undo


TAKES: tuple[Take, ...] = (
    rename_file,
    rename_log,
    rename_folder,
    remove_file,
    remove_log,
    remove_folder,
    replace_file,
    replace_log,
    replace_both,
    replace_file_by_a_rename,
    replace_folder,
    link_folder_elsewhere,
)
