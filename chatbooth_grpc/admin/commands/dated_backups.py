"""A folder of backups whose names have their times, of which only the newest are kept."""

from __future__ import annotations

import re
import time
from pathlib import Path

from chatbooth_grpc.client.failures.command_failure import Misuse

_TIME = r"\d{8}T\d{6}Z"


class DatedBackups:
    """The backups of one store in a folder: `chatbooth-20261130T020000Z.db` is one of `chatbooth.db`."""

    def __init__(self, folder: Path, store: Path) -> None:
        self._folder = folder
        self._store = store
        # A backup that was killed has left a part of its file.
        self._name = re.compile(rf"{re.escape(store.stem)}-{_TIME}{re.escape(store.suffix)}(?P<part>\.part-\w+)?")

    def next(self, seconds: float) -> Path:
        """Return the path of a backup that is made at this time, in seconds since 1970."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
        return self._folder / f"{self._store.stem}-{stamp}{self._store.suffix}"

    def remove_all_but(self, keep: int) -> int:
        """Remove all files that are older than the newest `keep` backups. Return how many. Raises OSError."""
        files = {path.name: match for path in self._folder.iterdir() if (match := self._name.fullmatch(path.name))}
        # The names sort by time.
        kept = sorted(name for name, match in files.items() if not match["part"])[-keep:]
        old = [name for name in files if kept and name < kept[0]]
        for name in old:
            (self._folder / name).unlink(missing_ok=True)
        return len(old)


def require_folder(path: Path) -> None:
    """Check that the path is a folder. Raises Misuse."""
    if not path.is_dir():
        raise Misuse(f"--keep needs a folder that exists, and {path} is none. Name the folder in place of the file.")
