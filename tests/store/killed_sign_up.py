"""A program that dies at one step of sign-ups with an invite.

`python -m tests.store.killed_sign_up STORE NUMBER` opens the store, whose one invite has `CODE_HASH`, signs up two
people and closes the store. It dies before the step with the NUMBER. The steps are the writes and the syncs of SQLite.
It prints a line for each sign-up that the store has acknowledged. It exits with 0 if there were fewer steps.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import sign_up_with
from tests.store.killed_at_a_step import Steps
from tests.store.power_loss import Disk

CODE_HASH = b"\x01" * 32


def main(path: Path, number: int) -> None:
    disk, steps = Disk(), Steps(number)
    with disk.before("write", steps), disk.before("sync", steps), SQLiteStore(path, vfs=disk.name) as store:
        for name in ("ann", "bob"):
            sign_up_with(store, name, CODE_HASH)
            os.write(sys.stdout.fileno(), f"{name}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
    os._exit(0)
