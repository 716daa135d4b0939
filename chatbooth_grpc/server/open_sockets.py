"""The sockets that this process has open, as its table of descriptors shows them."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

# Linux and macOS list the descriptors of the process that asks.
_LISTS = (Path("/proc/self/fd"), Path("/dev/fd"))


class OpenSocket(NamedTuple):
    """One open socket. The system uses a descriptor again after it is closed, but hardly ever an inode."""

    descriptor: int
    inode: int


def open_sockets() -> Iterator[OpenSocket]:
    """Yield all sockets that are open now. Raises OSError if the system shows no descriptors."""
    with os.scandir(next((path for path in _LISTS if path.is_dir()), _LISTS[0])) as entries:
        descriptors = [int(entry.name) for entry in entries]
    for descriptor in descriptors:
        # A descriptor may be closed at any time by the thread that owns it.
        with suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISSOCK(status.st_mode):
                yield OpenSocket(descriptor, status.st_ino)


def both_ends(one: OpenSocket) -> tuple[Any, Any] | None:
    """Return the local and the remote address of a connection. None means that it is no connection, or is closed.

    If another socket has just got the descriptor, these are the addresses of that one.
    """
    with suppress(OSError):
        borrowed = socket.socket(fileno=one.descriptor)
        try:
            return borrowed.getsockname(), borrowed.getpeername()
        finally:
            # The descriptor is not this object's to close.
            borrowed.detach()
    return None


def shut_down(one: OpenSocket) -> bool:
    """End a connection that another part of the process owns, and return whether it was still there.

    Its owner then reads the end of the stream, as if the client had closed the connection, and closes it. The check is
    made on a duplicate of the descriptor. So this never ends a socket that has got the descriptor meanwhile.
    """
    try:
        duplicate = os.dup(one.descriptor)
    except OSError:
        return False
    try:
        if os.fstat(duplicate).st_ino != one.inode:
            return False
        borrowed = socket.socket(fileno=duplicate)
        try:
            borrowed.shutdown(socket.SHUT_RDWR)
        finally:
            borrowed.detach()
    # The client has gone.
    except OSError:
        return False
    finally:
        os.close(duplicate)
    return True
