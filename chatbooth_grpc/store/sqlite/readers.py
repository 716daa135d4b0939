"""The few connections that read a store, each lent to one thread at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import apsw

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import StoreUnavailable

# A connection takes two descriptors and up to 2 MiB. The thread of each wire connection may want one at the same time.
MOST_READERS = 48


class Readers:
    """The reading connections: as many as were ever needed at once, up to a limit. Any thread may borrow one."""

    def __init__(self, connect: Callable[[], apsw.Connection], wait: float = 30.0) -> None:
        """`wait` is the longest time that a caller waits for a connection, in seconds. Its deadline may be sooner."""
        self._connect = connect
        self._wait = wait
        # Pushed and popped without a lock: each call of a deque is atomic.
        self._idle: deque[apsw.Connection] = deque()
        # How many connections exist, idle or lent.
        self._count = 0
        self._gone = threading.Condition()
        # The number of callers that found no idle connection. A thread that returns a connection reads this afterwards.
        # A caller adds itself here before it looks once more. So no caller misses a connection.
        self._wanting = 0
        self._returned = threading.Condition()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[apsw.Connection]:
        """Lend a connection.

        Raises StoreUnavailable after `close`, or if no thread returns a connection in time. Raises DeadlineExceeded.
        Raises any error that occurs while a connection is made.
        """
        if self._closed:
            raise StoreUnavailable
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._make() or self._await_returned()
        try:
            yield connection
        finally:
            self._idle.append(connection)
            if self._wanting:
                with self._returned:
                    self._returned.notify()
            if self._closed:
                self._close_idle()

    def close(self, wait: float) -> bool:
        """Lend no more, and close each connection once it is returned.

        This waits for that up to `wait` seconds, and returns whether all are closed.
        """
        with self._gone:
            self._closed = True
        with self._returned:
            self._returned.notify_all()
        self._close_idle()
        with self._gone:
            return self._gone.wait_for(lambda: self._count == 0, wait)

    def _await_returned(self) -> apsw.Connection:
        with self._returned:
            self._wanting += 1
            try:
                while True:
                    with suppress(IndexError):
                        return self._idle.pop()
                    if self._closed or not self._returned.wait(time_remaining(self._wait)):
                        # This raises DeadlineExceeded if the caller's own deadline has passed.
                        time_remaining(self._wait)
                        raise StoreUnavailable
            finally:
                self._wanting -= 1

    def _make(self) -> apsw.Connection | None:
        """Return a new connection, or None if there are MOST_READERS already."""
        with self._gone:
            if self._closed:
                raise StoreUnavailable
            if self._count >= MOST_READERS:
                return None
            self._count += 1
        try:
            return self._connect()
        except BaseException:
            self._note_gone()
            raise

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()
                self._note_gone()

    def _note_gone(self) -> None:
        with self._gone:
            self._count -= 1
            self._gone.notify_all()
