"""The connections that read a store, each lent to one thread at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import apsw

from chatbooth_grpc.booth.errors import StoreUnavailable


class Readers:
    """As many reading connections as were ever needed at once. Any thread may borrow one."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        # Pushed and popped without a lock: each call of a deque is atomic.
        self._idle: deque[apsw.Connection] = deque()
        # How many connections exist, idle or lent.
        self._count = 0
        self._gone = threading.Condition()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[apsw.Connection]:
        """Lend a connection. Raises StoreUnavailable after `close`, and whatever connecting raises."""
        if self._closed:
            raise StoreUnavailable
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._make()
        try:
            yield connection
        finally:
            self._idle.append(connection)
            if self._closed:
                self._close_idle()

    def close(self, wait: float) -> bool:
        """Lend no more, and close each connection once it is returned.

        Waits for that up to `wait` seconds, and says whether all are closed.
        """
        with self._gone:
            self._closed = True
        self._close_idle()
        with self._gone:
            return self._gone.wait_for(lambda: self._count == 0, wait)

    def _make(self) -> apsw.Connection:
        with self._gone:
            if self._closed:
                raise StoreUnavailable
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
