"""Writing to the connections whose clients read slowly, or not at all: one thread for all of them."""

from __future__ import annotations

import logging
import queue
import selectors
import threading
from typing import Protocol

from chatbooth_grpc.wire.server.waker import Waker

_log = logging.getLogger(__name__)


class Leaver(Protocol):
    """A connection that has left something to be written. Called on the slow writer's thread; none of it blocks."""

    def write_left(self) -> bool:
        """Write what is left, as far as the socket takes it; return whether nothing is left."""

    def settle(self) -> bool:
        """Be written by others again, unless more was left meanwhile; return whether so."""

    def give_up(self) -> None:
        """End the connection."""


class SlowWriter:
    """The thread, and the connections that it writes to."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._added: queue.SimpleQueue[tuple[int, Leaver] | None] = queue.SimpleQueue()
        self._waker = Waker()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="wire-slow-writer", daemon=True)
        self._thread.start()

    def add(self, number: int, leaver: Leaver) -> None:
        """Write to the socket of that number what `leaver` has left, until it settles. Never blocks."""
        self._put((number, leaver))

    def stop(self) -> None:
        """End the thread; call this when no connection is left."""
        self._put(None)
        self._thread.join()
        self._selector.close()
        self._waker.close()

    def _put(self, item: tuple[int, Leaver] | None) -> None:
        self._added.put(item)
        self._waker.wake()

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            for key, _ in self._selector.select():
                if key.data is None:
                    goes_on = self._take_added()
                else:
                    self._write(key.fd, key.data)

    def _take_added(self) -> bool:
        """Watch the connections that were added; return whether the thread goes on."""
        self._waker.clear()
        while not self._added.empty():
            item = self._added.get()
            if item is None:
                return False
            number, leaver = item
            try:
                self._selector.register(number, selectors.EVENT_WRITE, leaver)
            except (OSError, ValueError, KeyError):  # the system watches so many sockets and no more
                leaver.give_up()
                leaver.settle()
        return True

    def _write(self, number: int, leaver: Leaver) -> None:
        try:
            if not leaver.write_left():
                return
        except Exception:  # noqa: BLE001  # a defect ends one connection
            _log.exception("a connection failed")
            leaver.give_up()
        # The socket may be closed once the connection has settled, and its number may be another's then.
        self._selector.unregister(number)
        if not leaver.settle():
            self._selector.register(number, selectors.EVENT_WRITE, leaver)
