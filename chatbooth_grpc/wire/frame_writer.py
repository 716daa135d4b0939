"""Writing a connection's frames, whole and in order, from many threads.

Whoever comes when nobody writes does so, and takes along what others leave meanwhile; so frames that come together are
one write. `put` blocks as long as the client does not read. `put_at_once` never blocks: if the client does not read, a
thread is lent to the connection until it does, or until the watchdog ends it.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from chatbooth_grpc.wire.quick_io import MOST, send_now

_MOST_LEFT = 256 << 10
"""How many bytes may be left to whoever writes before those who may block wait."""

_PIECE = 64 << 10  # a write of more is watched piece by piece: who reads slowly still reads


class FrameWriter:
    """One connection's write side. `_lock` guards what is left to be written, and who writes.

    What is seldom needed, to wait for a change, is made when it is: there may be thousands of connections.
    """

    __slots__ = ("_changed", "_is_ended", "_is_writing", "_left", "_lock", "_size", "_socket", "writing_since")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._lock = threading.Lock()
        self._changed: threading.Condition | None = None  # of the lock, once somebody has waited
        self._left: list[bytes] = []
        self._size = 0
        self._is_writing = False
        self._is_ended = False  # nothing more is taken
        self.writing_since: float | None = None  # since when a write may be blocked, monotonic: for the watchdog

    def put(self, frames: bytes) -> None:
        """Write whole frames, or leave them to who writes, if that is not too much. Raises OSError."""
        with self._lock:
            self._leave(frames)
            while self._is_writing:
                if self._size <= _MOST_LEFT:
                    return
                self._wait()
                self._check()
            self._is_writing = True
        if not self._try_left():
            self._write_left()

    def put_at_once(self, frames: bytes) -> None:
        """Write whole frames as far as that does not block, and see to the rest. Raises OSError."""
        with self._lock:
            self._leave(frames)
            if self._is_writing:
                return
            self._is_writing = True
        if self._try_left():
            return
        try:
            threading.Thread(target=self._write_slowly, name="wire-writer", daemon=True).start()
        except RuntimeError as error:  # the system allows no more threads
            self._break()
            raise OSError("no thread to write on") from error

    @property
    def has_room(self) -> bool:
        """Whether frames may be left without waiting."""
        return not self._is_ended and self._size <= _MOST_LEFT

    def wait_for_room(self) -> None:
        """Wait until not too much is left. Raises OSError."""
        with self._lock:
            while self._is_writing and self._size > _MOST_LEFT:
                self._wait()
            self._check()

    def end(self) -> None:
        """Take no more frames, and tell the client so behind what is left."""
        with self._lock:
            if not self._is_ended:
                self._is_ended = True
                if not self._is_writing:
                    self._shut_down(socket.SHUT_WR)

    def wait_until_written(self) -> None:
        """Wait until nothing is left, or the connection is broken."""
        with self._lock:
            while self._is_writing:
                self._wait()

    def close(self) -> None:
        """End the connection at once, and close its socket once nobody writes: its number may be another's by then."""
        self._shut_down(socket.SHUT_RDWR)
        with self._lock:
            self._is_ended = True
            while self._is_writing:
                self._wait()
            self._socket.close()

    def _leave(self, frames: bytes) -> None:
        self._check()
        self._left.append(frames)
        self._size += len(frames)

    def _check(self) -> None:
        if self._is_ended:
            raise OSError("the connection has ended")

    def _take(self) -> bytes:
        """Take what is left, as who writes; nothing: nobody writes any more."""
        with self._lock:
            if self._left:
                data = b"".join(self._left)
                self._left.clear()
                self._size = 0
            else:
                data = b""
                self._is_writing = False
                if self._is_ended:
                    self._shut_down(socket.SHUT_WR)
            self._notify()
        return data

    def _wait(self) -> None:
        if self._changed is None:
            self._changed = threading.Condition(self._lock)
        self._changed.wait()

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.notify_all()

    def _try_left(self) -> bool:
        """Write what is left without blocking; return whether that was all. Raises OSError."""
        while data := self._take():
            try:
                sent = send_now(self._socket, data)
            except OSError:
                self._break()
                raise
            if sent < len(data):
                with self._lock:
                    self._left.insert(0, data[sent:])
                    self._size += len(data) - sent
                if sent < MOST:
                    return False
        return True

    def _write_left(self) -> None:
        """Write what is left, blocking while the client does not read. Raises OSError."""
        try:
            while data := self._take():
                for start in range(0, len(data), _PIECE):
                    self.writing_since = time.monotonic()
                    self._socket.sendall(data[start : start + _PIECE])
                self.writing_since = None
        except OSError:
            self._break()
            raise
        finally:
            self.writing_since = None

    def _write_slowly(self) -> None:
        try:
            self._write_left()
        except OSError:
            return  # the connection's own thread learns of it, too

    def _break(self) -> None:
        """End the connection, perhaps within a frame: nothing may follow."""
        self._shut_down(socket.SHUT_RDWR)
        with self._lock:
            self._is_ended = True
            self._is_writing = False
            self._left.clear()
            self._size = 0
            self._notify()

    def _shut_down(self, how: int) -> None:
        with suppress(OSError):  # it has ended already
            self._socket.shutdown(how)
