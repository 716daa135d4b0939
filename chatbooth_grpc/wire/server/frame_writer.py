"""Writes a connection's frames, whole and in order, from many threads.

The thread that has a frame writes it under the lock, as far as the stream takes it at once. The rest is left to the
slow writer (`slow_writer`), which is one thread for all connections, and writes the rest as the client reads. So no
thread that writes a frame ever waits for the client. Only the connection's own thread waits for room before it reads
on, so the server stops reading from a client that does not read.
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
"""How many bytes may be left to the slow writer before the connection's own thread waits."""

_PIECES = 4
"""How many pieces of MOST bytes the slow writer writes to one connection before it turns to the next."""


class FrameWriter:
    """The writing side of one connection.

    `_lock` guards the bytes that are left to be written, and whether the slow writer has the connection. The condition
    to wait for a change is seldom needed, so it is made on first use: there may be thousands of connections.
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
        """`unread` counts the bytes that are left, until the stream takes them."""
        self._stream = stream
        self._slow_writer = slow_writer
        self._unread = unread
        self._lock = threading.Lock()
        # A condition of the lock, once a thread has waited.
        self._changed: threading.Condition | None = None
        self._call_when_free: Callable[[], None] | None = None
        self._left: deque[tuple[memoryview, Held]] = deque()
        # How many bytes are left.
        self._size = 0
        # Whether the slow writer has this connection. If not, no bytes are left.
        self._is_slow = False
        # Whether no more frames are accepted.
        self._is_ended = False
        # The account that the large answers are for, if it is known.
        self.account_id: int | None = None
        # When the stream last took some of the bytes that are left, in monotonic seconds.
        self.writing_since: float | None = None

    def put(self, frames: bytes) -> None:
        """Write whole frames as far as the stream takes them, and leave the rest. This never blocks. Raises OSError."""
        with self._lock:
            self._check()
            sent = 0 if self._is_slow else self._write_now(frames)
            if sent == len(frames):
                return
            self._leave(frames, sent)

    @property
    def has_room(self) -> bool:
        """Whether the connection's own thread may go on without waiting."""
        return not self._is_ended and self._size <= _MOST_LEFT

    def wait_for_room(self) -> None:
        """Wait until few enough bytes are left. Raises OSError if the connection has ended."""
        if self.has_room:
            return
        with self._lock:
            while self._is_slow and self._size > _MOST_LEFT:
                self._wait()
            self._check()

    @property
    def is_free(self) -> bool:
        """Whether no bytes are left."""
        return not self._is_slow

    def call_when_free(self, call: Callable[[], None]) -> bool:
        """Let the slow writer's thread call `call` once, when no bytes are left. Return False if none are left now."""
        with self._lock:
            if self._is_slow:
                self._call_when_free = call
            return self._is_slow

    def end(self) -> None:
        """Accept no more frames, and tell the client so after the bytes that are left."""
        with self._lock:
            if not self._is_ended:
                self._is_ended = True
                if not self._is_slow:
                    self._stream.end()

    def wait_until_written(self) -> None:
        """Wait until no bytes are left, or the connection is broken."""
        with self._lock:
            while self._is_slow:
                self._wait()

    def cut_off(self) -> None:
        """End the connection at once. Any thread may call this. It never blocks."""
        self._stream.cut_off()

    def close(self) -> None:
        """End the connection at once, and close its stream when no thread writes to it any more.

        A new connection may get the number of the descriptor as soon as it is closed.
        """
        self.cut_off()
        with self._lock:
            self._is_ended = True
            while self._is_slow:
                self._wait()
            self._stream.close()

    # The slow writer calls these.

    def write_left(self) -> bool:
        """Write the bytes that are left, as far as the stream takes them. Return True if none are left."""
        with self._lock:
            for _ in range(_PIECES):
                if not self._left or not self._write_piece():
                    break
            return not self._left

    def settle(self) -> bool:
        """Let other threads write again, and return True. If more bytes were left meanwhile, return False."""
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
        """End the connection, because the slow writer cannot watch it."""
        with self._lock:
            self._break()

    # These need the lock.

    def _write_now(self, frames: bytes) -> int:
        """Write without blocking. Return how many bytes the stream took. Raises OSError."""
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
        """Write the first piece of the bytes that are left. Return whether the stream took any of it."""
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
        """End the connection, perhaps in the middle of a frame. So no more bytes may follow."""
        self.cut_off()
        self._is_ended = True
        for _, held in self._left:
            self._unread.release(held)
        self._left.clear()
        self._size = 0
