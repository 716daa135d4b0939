"""A program that dies at one step of an administrator's work.

`python -m tests.store.killed_administration STORE FILE WORK NUMBER` does the WORK (backup, restore or vacuum) and dies
before the step with the NUMBER. The steps are the system calls that change a file, of Python and of SQLite, and each
piece of progress. It exits with 0 if the work took fewer steps than the number.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from chatbooth_grpc.store.sqlite.sqlite_place import SQLitePlace
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.store.killed_at_a_step import Steps
from tests.store.power_loss import Disk


@contextmanager
def counted(steps: Steps, disk: Disk) -> Iterator[None]:
    """Count the calls inside the block that change a file."""
    with ExitStack() as patches:
        for name in ("fsync", "link"):
            patches.enter_context(patch.object(os, name, steps.before(getattr(os, name))))
        for name in ("replace", "rename", "unlink"):
            patches.enter_context(patch.object(Path, name, steps.before(getattr(Path, name))))
        patches.enter_context(disk.before("write", steps))
        patches.enter_context(disk.before("sync", steps))
        yield


def main(path: Path, other: Path, work: str, number: int) -> None:
    disk, steps = Disk(), Steps(number)
    if work == "restore":
        with counted(steps, disk):
            for _ in SQLitePlace(path).restore(other):
                steps()
        return
    # Other tests let a process die while it opens or closes a store.
    with SQLiteStore(path, vfs=disk.name) as store, counted(steps, disk):
        admin = store.administration
        for _ in admin.backup(other, force=True) if work == "backup" else admin.vacuum():
            steps()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    os._exit(0)
