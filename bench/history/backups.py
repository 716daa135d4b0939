"""Copies of a store, taken and put back in the ways in which people do that."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.history.faults import Server
from chatbooth_grpc.store.sqlite.leftovers import why_leftovers_do_not_fit

LOG = "-wal"
_BESIDE = (LOG, "-shm")

# How often the log of a killed server, if there is one, is left beside the file that is put back.
_LEFT_LOG = 0.5


@dataclass(frozen=True)
class Backup:
    """A copy of a store's file, perhaps with its log."""

    file: Path
    holds_through: float
    """The copy has all messages that were acknowledged before this moment of the monotonic clock."""


def take(server: Server, folder: Path, dice: random.Random) -> tuple[str, Backup]:
    """Copy the running server's store into a new folder. Return the way in which it was copied, and the copy."""
    folder.mkdir()
    way = dice.choice(sorted(_WAYS_TO_TAKE))
    backup = _WAYS_TO_TAKE[way](server, folder / "backup.db")
    # A copy of a file that changes may be torn. A careful operator checks the copy, and so does this.
    while not _is_sound(backup.file):
        backup = _WAYS_TO_TAKE[way](server, folder / "backup.db")
    return way, backup


def put_back(backup: Backup, server: Server, folder: Path, dice: random.Random) -> tuple[str, float]:
    """Put a copy in place of an ended server's store, and start the server.

    Return the way in which this was done, and the moment up to which the store has all messages, as in `Backup`. The
    server may start in `folder` instead, which is a new one.
    """
    leaves_log = not _beside(backup.file, LOG).exists() and _beside(server.store, LOG).exists()
    if leaves_log and dice.random() < _LEFT_LOG:
        return _put_beside_the_log(backup, server)
    way = dice.choice(sorted(_WAYS_TO_PUT_BACK))
    _WAYS_TO_PUT_BACK[way](backup, server, folder)
    server.start()
    return way, backup.holds_through


def _put_beside_the_log(backup: Backup, server: Server) -> tuple[str, float]:
    """Put a file back, and leave the log of a killed server. If the server refuses that, follow its advice."""
    server.store.write_bytes(backup.file.read_bytes())
    try:
        server.start()
    except RuntimeError as refusal:
        if "do not belong together" not in str(refusal):
            raise
        _beside(server.store, LOG).rename(_beside(server.store, ".moved"))
        server.start()
        return "beside the log, refused", backup.holds_through
    return "beside the log, fitting", float("inf")


def _stopped(server: Server, file: Path) -> Backup:
    taken = time.monotonic()
    server.send_signal(signal.SIGTERM)
    server.wait()
    shutil.copy(server.store, file)
    server.start()
    return Backup(file, taken)


def _file_alone(server: Server, file: Path) -> Backup:
    # A server that starts copies its log into the file. Later messages may be in the log alone.
    taken = server.start_time
    shutil.copy(server.store, file)
    return Backup(file, taken)


def _file_and_log(server: Server, file: Path) -> Backup:
    taken = time.monotonic()
    shutil.copy(server.store, file)
    shutil.copy(_beside(server.store, LOG), _beside(file, LOG))
    return Backup(file, taken)


def _by_sqlite(server: Server, file: Path) -> Backup:
    taken = time.monotonic()
    with closing(sqlite3.connect(server.store)) as source, closing(sqlite3.connect(file)) as target:
        source.backup(target)
    return Backup(file, taken)


_WAYS_TO_TAKE: dict[str, Callable[[Server, Path], Backup]] = {
    "stopped": _stopped,
    "file alone": _file_alone,
    "file and log": _file_and_log,
    "by sqlite": _by_sqlite,
}


def _in_place(backup: Backup, server: Server, _folder: Path) -> None:
    _remove_beside(server.store)
    server.store.write_bytes(backup.file.read_bytes())
    _copy_log(backup.file, server.store)


def _by_rename(backup: Backup, server: Server, _folder: Path) -> None:
    _remove_beside(server.store)
    new = _beside(server.store, ".new")
    shutil.copy(backup.file, new)
    new.replace(server.store)
    _copy_log(backup.file, server.store)


def _in_another_folder(backup: Backup, server: Server, folder: Path) -> None:
    folder.mkdir()
    server.store = folder / "store.db"
    shutil.copy(backup.file, server.store)
    _copy_log(backup.file, server.store)


_WAYS_TO_PUT_BACK: dict[str, Callable[[Backup, Server, Path], None]] = {
    "in place": _in_place,
    "by rename": _by_rename,
    "in another folder": _in_another_folder,
}


def _is_sound(file: Path) -> bool:
    if why_leftovers_do_not_fit(file, None) is not None:
        return False
    if _beside(file, LOG).exists():
        return True
    with closing(sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)) as connection:
        try:
            found: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError:
            return False
    return found == "ok"


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _remove_beside(file: Path) -> None:
    for suffix in _BESIDE:
        _beside(file, suffix).unlink(missing_ok=True)


def _copy_log(source: Path, target: Path) -> None:
    log = _beside(source, LOG)
    if log.exists():
        shutil.copy(log, _beside(target, LOG))
