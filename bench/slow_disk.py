"""python -m bench.slow_disk: the server, on a disk where every fsync takes longer."""

from __future__ import annotations

import os
import sys
import time

import apsw

from chatbooth_grpc.server.__main__ import main

VARIABLE = "BENCH_FSYNC_MILLISECONDS"
"""The environment variable that says how much longer. Unset means 0."""


_SYSTEM = apsw.vfs_names()[0]


class SlowFile(apsw.VFSFile):
    """A file that sleeps before it syncs."""

    def __init__(self, filename: str | apsw.URIFilename | None, flags: list[int], seconds: float) -> None:
        super().__init__(_SYSTEM, filename, flags)
        self._seconds = seconds

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        """Sleep, then sync."""
        time.sleep(self._seconds)
        super().xSync(flags)


class SlowDisk(apsw.VFS):
    """The system's files, each as a `SlowFile`. It becomes SQLite's default VFS."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__("slow", _SYSTEM, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> SlowFile:  # noqa: N802  # SQLite's name
        """Open a file."""
        return SlowFile(name, flags, self._seconds)


if __name__ == "__main__":
    disk = SlowDisk(float(os.environ.get(VARIABLE, "0")) / 1_000)
    sys.exit(main())
