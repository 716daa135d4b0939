"""Writing a few bytes to a socket without giving up the interpreter's lock.

Python gives its lock up around every system call. For a write that cannot block and takes a microsecond or two, winning
the lock back from fifty threads that wait for it takes a hundred times as long; so this write keeps it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket

MOST = 64 << 10
"""How many bytes may be written so: copying them must not take long."""

_send = ctypes.PyDLL(None, use_errno=True).send  # PyDLL: calls keep the lock, where CDLL's give it up
_send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_send.restype = ctypes.c_ssize_t
_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
_WOULD_BLOCK = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR}


def send_now(connected: socket.socket, data: bytes) -> int:
    """Write as many of the bytes as the socket takes at once, at most MOST; return how many. Raises OSError."""
    sent: int = _send(connected.fileno(), data, min(len(data), MOST), _FLAGS)
    if sent >= 0:
        return sent
    number = ctypes.get_errno()
    if number in _WOULD_BLOCK:
        return 0
    raise OSError(number, os.strerror(number))
