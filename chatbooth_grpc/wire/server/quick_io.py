"""Reading and writing a few bytes of a socket without giving up the interpreter's lock.

Python gives its lock up around every system call. For one that cannot block and takes a microsecond or two, winning the
lock back from fifty threads that wait for it takes a hundred times as long; so these keep it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket

MOST = 64 << 10
"""How many bytes may be written so: copying them must not take long."""

_libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: calls keep the lock, where CDLL's give it up
_send, _recv = _libc.send, _libc.recv
_send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_recv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_send.restype = _recv.restype = ctypes.c_ssize_t
_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
_WOULD_BLOCK = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR}


def send_now(connected: socket.socket, data: bytes) -> int:
    """Write as many of the bytes as the socket takes at once, at most MOST; return how many. Raises OSError."""
    sent: int = _send(connected.fileno(), data, min(len(data), MOST), _FLAGS)
    if sent < 0:
        _raise_unless_it_would_block()
        return 0
    return sent


def receive_now(number: int, buffer: ctypes.Array[ctypes.c_char]) -> bytes | None:
    """Return what has come for a socket's descriptor, as much as fits the buffer; None: nothing yet. Raises OSError.

    No other thread may use the buffer meanwhile.
    """
    received: int = _recv(number, buffer, len(buffer), _FLAGS)
    if received < 0:
        _raise_unless_it_would_block()
        return None
    return ctypes.string_at(buffer, received)


def _raise_unless_it_would_block() -> None:
    number = ctypes.get_errno()
    if number not in _WOULD_BLOCK:
        raise OSError(number, os.strerror(number))
