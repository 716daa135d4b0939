"""Writing a connection's frames, whole and in order, from many threads.

What the socket takes at once is written by whoever comes, under the lock, since that waits for nothing. Where the
client does not read, one thread writes slowly: `put` makes it the caller's, which blocks as long as that takes;
`put_at_once` lends one to the connection until the client reads, or until the watchdog ends it. Others leave their
frames to it.
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
    """One connection's write side. `_lock` guards what is left to be written, and whether a thread writes it.

    What is seldom needed, to wait for a change, is made when it is: there may be thousands of connections.
    """

    __slots__ = ("_changed", "_is_ended", "_is_slow", "_left", "_lock", "_size", "_socket", "writing_since")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._lock = threading.Lock()
        self._changed: threading.Condition | None = None  # of the lock, once somebody has waited
        self._left: list[bytes] = []
        self._size = 0
        self._is_slow = False  # a thread writes what is left; without one, nothing is
        self._is_ended = False  # nothing more is taken
        self.writing_since: float | None = None  # since when a write may be blocked, monotonic: for the watchdog

    def put(self, frames: bytes) -> None:
        """Write whole frames, or leave them to who writes, if that is not too much. Raises OSError."""
        with self._lock:
            if self._put(frames):
                while self._is_slow and self._size > _MOST_LEFT:
                    self._wait()
                    self._check()
                return
        self._write_left()

    def put_at_once(self, frames: bytes) -> None:
        """Write whole frames as far as that does not block, and see to the rest. Raises OSError."""
        with self._lock:
            if self._put(frames):
                return
        try:
            threading.Thread(target=self._write_slowly, name="wire-writer", daemon=True).start()
        except RuntimeError as error:  # the system allows no more threads
            with self._lock:
                self._break()
            raise OSError("no thread to write on") from error

    @property
    def has_room(self) -> bool:
        """Whether frames may be left without waiting."""
        return not self._is_ended and self._size <= _MOST_LEFT

    def wait_for_room(self) -> None:
        """Wait until not too much is left. Raises OSError."""
        with self._lock:
            while self._is_slow and self._size > _MOST_LEFT:
                self._wait()
            self._check()

    def end(self) -> None:
        """Take no more frames, and tell the client so behind what is left."""
        with self._lock:
            if not self._is_ended:
                self._is_ended = True
                if not self._is_slow:
                    self._shut_down(socket.SHUT_WR)

    def wait_until_written(self) -> None:
        """Wait until nothing is left, or the connection is broken."""
        with self._lock:
            while self._is_slow:
                self._wait()

    def close(self) -> None:
        """End the connection at once, and close its socket once nobody writes: its number may be another's by then."""
        self._shut_down(socket.SHUT_RDWR)
        with self._lock:
            self._is_ended = True
            while self._is_slow:
                self._wait()
            self._socket.close()

    # With the lock

    def _put(self, frames: bytes) -> bool:
        """Write as much as can be at once; return whether the rest is none, or another's to write. Raises OSError."""
        self._check()
        if not self._is_slow:
            frames = self._write_now(frames)
            if not frames:
                return True
        self._left.append(frames)
        self._size += len(frames)
        was_slow, self._is_slow = self._is_slow, True
        return was_slow

    def _write_now(self, frames: bytes) -> bytes:
        """Write without blocking; return what the socket did not take. Raises OSError."""
        try:
            sent = send_now(self._socket, frames)
            while sent < len(frames) and (more := send_now(self._socket, frames[sent : sent + MOST])):
                sent += more
        except OSError:
            self._break()
            raise
        return frames[sent:]

    def _check(self) -> None:
        if self._is_ended:
            raise OSError("the connection has ended")

    def _wait(self) -> None:
        if self._changed is None:
            self._changed = threading.Condition(self._lock)
        self._changed.wait()

    def _break(self) -> None:
        """End the connection, perhaps within a frame: nothing may follow."""
        self._shut_down(socket.SHUT_RDWR)
        self._is_ended = True
        self._forget_left()

    def _forget_left(self) -> None:
        """Note that nobody writes slowly any more."""
        self._is_slow = False
        self._left.clear()
        self._size = 0
        if self._changed is not None:
            self._changed.notify_all()

    # The thread that writes what is left

    def _write_left(self) -> None:
        """Write what is left, blocking while the client does not read. Raises OSError."""
        try:
            while data := self._take():
                for start in range(0, len(data), _PIECE):
                    self.writing_since = time.monotonic()
                    self._socket.sendall(data[start : start + _PIECE])
                self.writing_since = None
        except OSError:
            with self._lock:
                self._break()
            raise
        finally:
            self.writing_since = None

    def _take(self) -> bytes:
        """Take what is left; nothing: nobody writes slowly any more."""
        with self._lock:
            data = b"".join(self._left)
            self._left.clear()
            self._size = 0
            if not data:
                self._forget_left()
                if self._is_ended:
                    self._shut_down(socket.SHUT_WR)
            elif self._changed is not None:
                self._changed.notify_all()
        return data

    def _write_slowly(self) -> None:
        try:
            self._write_left()
        except OSError:
            return  # the connection's own thread learns of it, too

    def _shut_down(self, how: int) -> None:
        with suppress(OSError):  # it has ended already
            self._socket.shutdown(how)
