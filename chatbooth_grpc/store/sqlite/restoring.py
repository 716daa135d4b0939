"""Puts a backup in a store's place. A crash at any moment leaves a whole store.

After a crash, the old store or the new one is in place. So the order of the steps matters:

1. Both the store's file and the file that comes in its place are locked, so no server starts meanwhile.
2. The backup is copied beside the store, gets another epoch, and is on stable storage.
3. The log of a crashed server is copied into the old file, which then is a whole store alone. If that is not possible,
   no server could serve the old file either. Then the log is kept under another name, beside the old file.
4. The old file gets a second name, under which it is kept.
5. One rename puts the new file in place. Before it the store is the old one, after it the new one.
6. The shared memory of the old store is removed, and the new file gets a seal, as if a server had closed it. If a crash
   leaves the old seal or none, the next server begins one more epoch, which does no harm.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import apsw

from chatbooth_grpc.booth.admin_store import Finding, MaintenanceFailed, Progress, Restoration, Verified
from chatbooth_grpc.store.sqlite.admission import Standing, read_standing
from chatbooth_grpc.store.sqlite.copying import NO_HARD_LINKS, copy_pages, new_file, open_alone, sync_folder
from chatbooth_grpc.store.sqlite.leftovers import why_leftovers_do_not_fit
from chatbooth_grpc.store.sqlite.lock import StoreLock
from chatbooth_grpc.store.sqlite.opening import StoreOpenError, connect, lock_store
from chatbooth_grpc.store.sqlite.seal import FileState, Phase, Seal, Sealed
from chatbooth_grpc.store.sqlite.sql import ADMIN_SQL
from chatbooth_grpc.store.sqlite.verifying import verify

_KEPT = ".before-restore-"


def restore(path: Path, file: Path) -> Iterator[Progress | Restoration]:
    """Restore as `StorePlace.restore` describes. `path` is the store's real path."""
    if path.exists() and file.exists() and file.samefile(path):
        raise MaintenanceFailed(f"{file} is the store itself. Name the backup that is to take its place.")
    messages = yield from _verified(file)
    with ExitStack() as locks:
        _lock(path, locks)
        _remove_second_names(path)
        with new_file(path, force=True) as part:
            with closing(open_alone(file)) as source:
                yield from copy_pages(source, part)
            standing = _renew_epoch(part)
            # The lock belongs to the file and stays when the file is renamed.
            locks.callback(StoreLock(part).release)
            former = _keep_former(path)
        for ending in ("-wal", "-shm", ".seal"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        if standing is not None:
            _seal(path, standing)
        sync_folder(path.parent)
    yield Restoration(messages, former)


def _verified(file: Path) -> Generator[Progress, None, int]:
    """Check the backup, and return how many messages it has. Raises MaintenanceFailed."""
    messages = 0
    for item in verify(file):
        if isinstance(item, Finding):
            raise MaintenanceFailed(f"{file} is damaged, so nothing was changed: {item.words}. Restore another backup.")
        if isinstance(item, Verified):
            messages = item.messages
        else:
            yield item
    return messages


def _lock(path: Path, locks: ExitStack) -> None:
    """Lock the store's file. If there is none, an empty file is made, and removed again if the restore fails."""
    is_new = not path.exists()
    try:
        lock = lock_store(path)
    except StoreOpenError as error:
        raise MaintenanceFailed(f"{error}. Nothing was changed.") from error
    locks.callback(lock.release)
    if is_new:
        locks.callback(_remove_empty, path)


def _remove_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        path.unlink()


def _renew_epoch(part: Path) -> Standing | None:
    """Give the new file another epoch, and return its record of its history. An earlier schema has none."""
    connection = apsw.Connection(str(part))
    try:
        # Without a log, the file alone is the whole store.
        connection.execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL").fetchall()
        connection.execute(ADMIN_SQL["renew_epoch"])
        return _standing(connection)
    finally:
        connection.close()


def _standing(connection: apsw.Connection) -> Standing | None:
    try:
        return read_standing(connection)
    # The schema has no such columns.
    except apsw.SQLError:
        return None


def _seal(path: Path, standing: Standing) -> None:
    """Seal the file, so that the next server finds it as this restore has left it."""
    seal = Seal(path)
    seal.put(Sealed(Phase.CLOSED, standing.start_id, standing.start_id, standing.messages, FileState.of(path.stat())))
    seal.close(None)


def _keep_former(path: Path) -> Path | None:
    """Give the old store a second name, and return that. None if there is no old store."""
    is_whole = _copy_log(path)
    if is_whole and path.stat().st_size == 0:
        return None
    former = _free_name(path)
    _give_second_name(path, former)
    if not is_whole:
        for ending in ("-wal", "-journal"):
            if Path(f"{path}{ending}").exists():
                Path(f"{path}{ending}").rename(f"{former}{ending}")
    sync_folder(path.parent)
    return former


def _give_second_name(path: Path, former: Path) -> None:
    try:
        os.link(path, former)
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        # Such a file system keeps a copy instead, which takes longer and as much room again.
        with new_file(former, force=False) as part:
            shutil.copyfile(path, part)


def _copy_log(path: Path) -> bool:
    """Copy the log into the old file, and return whether the file is whole now."""
    log, journal = Path(f"{path}-wal"), Path(f"{path}-journal")
    if not any(each.exists() and each.stat().st_size for each in (log, journal)):
        return True
    try:
        if why_leftovers_do_not_fit(path, None) is not None:
            return False
        connection = connect(path, None)
        try:
            # SQLite opens the log with the first read.
            connection.pragma("user_version")
        finally:
            # Closing the last connection copies the log, and removes it.
            connection.close()
    except apsw.Error:
        return False
    return not log.exists() and not journal.exists()


def _free_name(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    name = former = Path(f"{path}{_KEPT}{stamp}")
    number = 1
    while os.path.lexists(former):
        number += 1
        former = Path(f"{name}-{number}")
    return former


def _remove_second_names(path: Path) -> None:
    """Remove the second names of the store's file that a killed restore has left."""
    for former in path.parent.glob(f"*{_KEPT}*"):
        # A symbolic link is no second name, and it may lead nowhere.
        if former.name.startswith(f"{path.name}{_KEPT}") and os.path.samestat(former.lstat(), path.stat()):
            former.unlink()
