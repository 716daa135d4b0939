"""A stream that keeps what is written to it, and can be made to block as a client that does not read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, Event, Gap, Message, MessageBatch, Opening

PATIENCE = 20.0


class RecordingSink:
    """A Sink in memory; fails a test in which two threads write to it at once."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: ChatboothError | None = None
        self.aborted = threading.Event()
        self.two_writers = False
        self._writing = threading.Lock()
        self._open = threading.Event()
        self._open.set()

    def block(self) -> None:
        """Read no more."""
        self._open.clear()

    def unblock(self) -> None:
        """Read on."""
        self._open.set()

    def send(self, event: Event) -> bool:
        if not self._writing.acquire(blocking=False):
            self.two_writers = True
            return False
        try:
            while not self._open.wait(0.01):
                if self.aborted.is_set():
                    return False
            self.events.append(event)
            return not self.aborted.is_set()
        finally:
            self._writing.release()

    def end(self, end: End, error: ChatboothError) -> None:
        self.send(end)
        self.error = error

    def abort(self) -> None:
        self.aborted.set()

    @property
    def opening(self) -> Opening:
        """The first event."""
        first = self.events[0]
        assert isinstance(first, Opening)
        return first

    @property
    def messages(self) -> list[Message]:
        """All messages, in the order in which they were written."""
        return [message for event in list(self.events) if isinstance(event, MessageBatch) for message in event.messages]

    @property
    def sequences(self) -> list[int]:
        """Their sequences."""
        return [message.sequence for message in self.messages]

    @property
    def gaps(self) -> list[Gap]:
        """The gaps told of behind the opening."""
        return [event for event in self.events if isinstance(event, Gap)]


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail if it does not in a long while."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        threading.Event().wait(0.005)
