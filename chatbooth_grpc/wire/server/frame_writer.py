"""Writing a connection's frames, whole and in order, from many threads, none of which waits for the client.

What the socket takes at once is written by the thread that has it, under the lock. The rest is left to the slow writer
(`slow_writer`), one thread for all connections, which writes it as the client reads. A connection's own thread waits
for room, so that a client that does not read is not read from.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from chatbooth_grpc.live.unread import SMALL_SIZE, Held, Unread
from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from chatbooth_grpc.wire.streams.byte_stream import MOST, ByteStream

_MOST_LEFT = 256 << 10
"""How many bytes may be left to the slow writer before a connection's own thread waits."""

_PIECES = 4
"""How many pieces of MOST bytes one connection is written before the slow writer turns to the next."""


class FrameWriter:
    """One connection's write side. `_lock` guards what is left to be written, and whether the slow writer has it.

    What is seldom needed, to wait for a change, is made when it is: there may be thousands of connections.
    """

    __slots__ = (
        "_call_when_free",
        "_changed",
        "_is_ended",
        "_is_slow",
        "_left",
        "_lock",
        "_size",
        "_slow_writer",
        "_stream",
        "_unread",
        "account_id",
        "writing_since",
    )

    def __init__(self, stream: ByteStream, slow_writer: SlowWriter, unread: Unread) -> None:
        """`unread` holds what is left until the socket takes it."""
        self._stream = stream
        self._slow_writer = slow_writer
        self._unread = unread
        self._lock = threading.Lock()
        self._changed: threading.Condition | None = None  # of the lock, once somebody has waited
        self._call_when_free: Callable[[], None] | None = None
        self._left: deque[tuple[memoryview, Held]] = deque()
        self._size = 0  # of what is left, in bytes
        self._is_slow = False  # the slow writer has this connection; without it, nothing is left
        self._is_ended = False  # nothing more is taken
        self.account_id: int | None = None  # whose large answers these are, as far as is known
        self.writing_since: float | None = None  # when the socket last took some of what is left, monotonic

    def put(self, frames: bytes) -> None:
        """Write whole frames as far as the socket takes them, and leave the rest. Never blocks. Raises OSError."""
        with self._lock:
            self._check()
            sent = 0 if self._is_slow else self._write_now(frames)
            if sent == len(frames):
                return
            self._leave(frames, sent)

    @property
    def has_room(self) -> bool:
        """Whether frames may be left without waiting."""
        return not self._is_ended and self._size <= _MOST_LEFT

    def wait_for_room(self) -> None:
        """Wait until not too much is left. Raises OSError."""
        if self.has_room:
            return
        with self._lock:
            while self._is_slow and self._size > _MOST_LEFT:
                self._wait()
            self._check()

    @property
    def is_free(self) -> bool:
        """Whether nothing is left."""
        return not self._is_slow

    def call_when_free(self, call: Callable[[], None]) -> bool:
        """Have `call` made once, on the slow writer's thread, when nothing is left. False: nothing is left now."""
        with self._lock:
            if self._is_slow:
                self._call_when_free = call
            return self._is_slow

    def end(self) -> None:
        """Take no more frames, and tell the client so after what is left."""
        with self._lock:
            if not self._is_ended:
                self._is_ended = True
                if not self._is_slow:
                    self._stream.end()

    def wait_until_written(self) -> None:
        """Wait until nothing is left, or the connection is broken."""
        with self._lock:
            while self._is_slow:
                self._wait()

    def cut_off(self) -> None:
        """End the connection at once, from any thread. Never blocks."""
        self._stream.cut_off()

    def close(self) -> None:
        """End the connection at once, and close its socket once nobody writes: its number may be another's by then."""
        self.cut_off()
        with self._lock:
            self._is_ended = True
            while self._is_slow:
                self._wait()
            self._stream.close()

    # The slow writer's

    def write_left(self) -> bool:
        """Write what is left, as far as the socket takes it; return whether nothing is left."""
        with self._lock:
            for _ in range(_PIECES):
                if not self._left or not self._write_piece():
                    break
            return not self._left

    def settle(self) -> bool:
        """Be written by others again, unless more was left meanwhile; return whether so."""
        with self._lock:
            if self._left:
                return False
            self._is_slow = False
            self.writing_since = None
            if self._is_ended:
                self._stream.end()
            if self._changed is not None:
                self._changed.notify_all()
            call, self._call_when_free = self._call_when_free, None
        if call is not None:
            call()
        return True

    def give_up(self) -> None:
        """End the connection, which cannot be watched."""
        with self._lock:
            self._break()

    # With the lock

    def _write_now(self, frames: bytes) -> int:
        """Write without blocking; return how many bytes the socket took. Raises OSError."""
        try:
            sent = self._stream.send_quickly(frames)
            while sent < len(frames) and (more := self._stream.send_quickly(frames[sent : sent + MOST])):
                sent += more
        except OSError:
            self._break()
            raise
        return sent

    def _leave(self, frames: bytes, sent: int) -> None:
        left = memoryview(frames)[sent:]
        owners = (self, self.account_id) if self.account_id is not None else (self,)
        held = self._unread.hold(len(left), owners if len(left) > SMALL_SIZE else (), self.cut_off)
        self._left.append((left, held))
        self._size += len(left)
        if not self._is_slow:
            self._is_slow = True
            self.writing_since = time.monotonic()
            self._slow_writer.add(self._stream.fileno(), self)

    def _write_piece(self) -> bool:
        """Write one piece of what is left first; return whether the socket took any of it."""
        left, held = self._left[0]
        try:
            sent = self._stream.send_now(left[:MOST])
        except OSError:
            self._break()
            return False
        if not sent:
            return False
        self._size -= sent
        self.writing_since = time.monotonic()
        if sent == len(left):
            self._left.popleft()
            self._unread.release(held)
        else:
            self._left[0] = (left[sent:], held)
        if self._changed is not None:
            self._changed.notify_all()
        return True

    def _check(self) -> None:
        if self._is_ended:
            raise OSError("the connection has ended")

    def _wait(self) -> None:
        if self._changed is None:
            self._changed = threading.Condition(self._lock)
        self._changed.wait()

    def _break(self) -> None:
        """End the connection, perhaps within a frame: nothing may follow."""
        self.cut_off()
        self._is_ended = True
        for _, held in self._left:
            self._unread.release(held)
        self._left.clear()
        self._size = 0
