"""The socket for administering a server: where it is, and how gRPC reaches it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def socket_of(store: Path) -> Path:
    """Return the path of the socket of the server that serves a store. `store` is the file's real path."""
    return Path(f"{store}.admin")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a path that leads to the same socket inside the block, and is short where the system allows that.

    The system refuses a path of a socket that has more than about 100 bytes. Raises OSError: there is no such folder.
    """
    if sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def is_answered(path: Path) -> bool:
    """Return whether a server listens on the socket. Raises OSError: the caller may not open it."""
    with reachable(path) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        try:
            tried.connect(short)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
