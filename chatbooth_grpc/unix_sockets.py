"""Unix sockets on which a server listens: bound privately, and never in the place of another server's."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "unix:"
LONGEST = 95
"""How many bytes a path may have. Systems take 103 of them or more, and the wire protocol adds a suffix."""

_MODE = 0o660
"""The server's user and group may connect. A reverse proxy belongs to the group."""


def make_way(path: Path) -> None:
    """Remove the socket of a server that no longer runs. Raises OSError if a server listens, or no socket is there."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(17, "it is there, and it is not a socket", str(path))
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as trying:
        try:
            trying.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise FileExistsError(17, "a server listens there", str(path))


@contextmanager
def private() -> Iterator[None]:
    """Have a socket that is bound inside the block get the right mode from the start."""
    before = os.umask(0o777 & ~_MODE)
    try:
        yield
    finally:
        os.umask(before)


def bind_unix(path: Path) -> socket.socket:
    """Return a socket that is bound to a path. Raises OSError."""
    make_way(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with private():
            made.bind(str(path))
    except BaseException:
        made.close()
        raise
    return made


def remove(path: Path) -> None:
    """Remove a socket on which this process listened."""
    with suppress(OSError):
        path.unlink()
