"""A byte stream over a socket as it is, without encryption.

The quick calls keep the interpreter's lock. Python gives it up around every system call. For a call that cannot block
and takes a microsecond or two, winning the lock back from fifty threads that wait for it takes a hundred times as long.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from contextlib import suppress

from chatbooth_grpc.wire.streams.byte_stream import MOST, Buffer

# The functions of a PyDLL keep the interpreter's lock. Those of a CDLL give it up.
_libc = ctypes.PyDLL(None, use_errno=True)
_send, _recv = _libc.send, _libc.recv
_send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_recv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_send.restype = _recv.restype = ctypes.c_ssize_t
_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
_WOULD_BLOCK = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR}


class PlainStream:
    """A ByteStream over a connected socket in blocking mode, which it takes over."""

    __slots__ = ("_number", "_socket", "receive", "set_timeout")

    is_ready = True

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        # The descriptor, and -1 after the socket is closed, because another connection may have the number by then.
        self._number = connected.fileno()
        # The socket's own methods, so that a read costs no call of Python code.
        self.receive = connected.recv
        self.set_timeout = connected.settimeout

    def shake_hands(self) -> None:
        pass

    def fileno(self) -> int:
        return self._number

    def receive_now(self, size: int, /) -> bytes | None:
        try:
            return self._socket.recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def receive_quickly(self, buffer: Buffer, /) -> bytes | None:
        received: int = _recv(self._number, buffer, len(buffer), _FLAGS)
        if received < 0:
            _raise_unless_it_would_block()
            return None
        return ctypes.string_at(buffer, received)

    def send_now(self, data: bytes | memoryview, /) -> int:
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def send_quickly(self, data: bytes, /) -> int:
        sent: int = _send(self._number, data, min(len(data), MOST), _FLAGS)
        if sent < 0:
            _raise_unless_it_would_block()
            return 0
        return sent

    def end(self) -> None:
        self._shut_down(socket.SHUT_WR)

    def stop_receiving(self) -> None:
        self._shut_down(socket.SHUT_RD)

    def cut_off(self) -> None:
        self._shut_down(socket.SHUT_RDWR)

    def close(self) -> None:
        self._number = -1
        self._socket.close()

    def _shut_down(self, how: int) -> None:
        # The connection may have ended already.
        with suppress(OSError):
            self._socket.shutdown(how)


def _raise_unless_it_would_block() -> None:
    number = ctypes.get_errno()
    if number not in _WOULD_BLOCK:
        raise OSError(number, os.strerror(number))
