"""Private files that are replaced whole: a crash leaves the old content or the new."""

from __future__ import annotations

import itertools
import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in place of any file of that name. Raises OSError.

    The content is on the disk when this returns. One process at a time may call it for a path.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        # A process that was killed may have left a file of this name.
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        # A write that fails names no file.
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def damaged_name(path: Path) -> Path:
    """Return a free name under which a damaged file can be kept beside its place."""
    numbered = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    return next(name for name in numbered if not name.exists())


def sync_directory(directory: Path) -> None:
    """Make a replaced or removed name durable. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
