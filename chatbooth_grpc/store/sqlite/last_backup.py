"""When the last backup of a store ended well: the time of a small file beside the store."""

from __future__ import annotations

import logging
import os
from pathlib import Path

ENDING = ".last-backup"
"""How the file's name goes on after the store's."""

_log = logging.getLogger(__name__)


def note_backup(store: Path) -> None:
    """Note that a backup has just ended well. A full disk does not make the backup fail."""
    path = Path(f"{store}{ENDING}")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.utime(path)
    except OSError as error:
        _log.warning("the time of a backup is not noted", extra={"cause": (error.strerror or str(error)).lower()})


def last_backup(store: Path) -> float:
    """Return when the last backup ended well, in seconds since 1970. 0 if there was none."""
    try:
        return Path(f"{store}{ENDING}").stat().st_mtime
    except OSError:
        return 0.0
