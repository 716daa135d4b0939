"""A program that dies at one step of opening or closing a store.

Run it by `python -m tests.store.killed_at_a_step FILE NUMBER`.

The steps are its system calls that change a file: those of SQLite, through a VFS, and those of the seal. It opens the
store, stores a message and closes the store. It exits with 0 if that took fewer steps than the number.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import log_in, send_texts
from tests.store.power_loss import Disk


class Steps:
    """Counts the steps, and ends the process before the step with the number."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._steps = count()

    def __call__(self, *_: object) -> None:
        if next(self._steps) == self._number:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call, with a step before it."""

        def counted(*arguments: Any, **options: Any) -> Any:
            self()
            return call(*arguments, **options)

        return counted


def main(path: Path, number: int) -> None:
    disk, steps = Disk(), Steps(number)
    for name in ("fsync", "pwrite"):
        setattr(os, name, steps.before(getattr(os, name)))
    Path.replace = steps.before(Path.replace)  # type: ignore[method-assign]
    Path.unlink = steps.before(Path.unlink)  # type: ignore[method-assign]
    with disk.before("write", steps), disk.before("sync", steps), SQLiteStore(path, vfs=disk.name) as store:
        send_texts(store, log_in(store, "ann"), "ann", "hello")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
    os._exit(0)
