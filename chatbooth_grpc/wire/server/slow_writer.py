"""One thread that writes to all connections whose clients read slowly or not at all."""

from __future__ import annotations

import logging
import queue
import selectors
import threading
from typing import Protocol

from chatbooth_grpc.wire.server.waker import Waker

_log = logging.getLogger(__name__)


class Leaver(Protocol):
    """A connection that has left bytes to be written.

    The slow writer's thread calls these methods. None of them may block.
    """

    def write_left(self) -> bool:
        """Write the bytes that are left, as far as the stream takes them. Return True if none are left."""

    def settle(self) -> bool:
        """Let other threads write to the connection again, and return True.

        If more bytes were left meanwhile, change nothing and return False.
        """

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
        """Let the thread write the bytes that `leaver` has left to the descriptor `number`. This never blocks."""
        self._put((number, leaver))

    def stop(self) -> None:
        """End the thread. Call this when no connection is left."""
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
        """Watch the connections that were added. Return False if the thread has to end."""
        self._waker.clear()
        while not self._added.empty():
            item = self._added.get()
            if item is None:
                return False
            number, leaver = item
            try:
                self._selector.register(number, selectors.EVENT_WRITE, leaver)
            except (OSError, ValueError, KeyError):
                # The system watches only a limited number of descriptors, or the number is no open descriptor.
                leaver.give_up()
                leaver.settle()
        return True

    def _write(self, number: int, leaver: Leaver) -> None:
        try:
            if not leaver.write_left():
                return
        except Exception:  # noqa: BLE001  # a bug ends one connection
            _log.exception("a connection failed")
            leaver.give_up()
        # Once the connection has settled, another thread may close it, and a new connection may get its number.
        self._selector.unregister(number)
        if not leaver.settle():
            self._selector.register(number, selectors.EVENT_WRITE, leaver)
