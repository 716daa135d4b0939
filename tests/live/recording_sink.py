"""A stream in memory that can behave like a client that does not read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import End, Event, Gap, Message, MessageBatch, Opening
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.switchboard import Switchboard


class RecordingSink:
    """A Sink in memory. It fails a test in which two threads write at once, or one writes before it is free."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: ChatboothError | None = None
        self.aborted = threading.Event()
        self.two_writers = False
        self.is_over = False
        self.closes: Callable[[], None] = lambda: None
        self._writing = threading.Lock()
        self._lock = threading.Lock()
        self._reads = True
        self._is_taken = True
        self._call_when_free: Callable[[], None] | None = None

    def block(self) -> None:
        """Stop reading, so that the next event is not taken."""
        self._reads = False

    def unblock(self) -> None:
        """Read again."""
        self._reads = True
        self._take()

    @property
    def is_free(self) -> bool:
        return self._is_taken

    def call_when_free(self, call: Callable[[], None]) -> bool:
        with self._lock:
            if not self._is_taken:
                self._call_when_free = call
            return not self._is_taken

    def send(self, event: Event) -> bool:
        if not self._is_taken or not self._writing.acquire(blocking=False):
            self.two_writers = True
            return False
        with self._lock:
            self.events.append(event)
            self._is_taken = self._reads or self.is_over
        self._writing.release()
        return not self.is_over

    def end(self, end: End, error: ChatboothError) -> None:
        self.send(end)
        self.error = error
        if self._is_taken:
            self._finish()

    def abort(self) -> None:
        self.aborted.set()
        self._finish()

    def _finish(self) -> None:
        self.is_over = True
        self._take()
        self.closes()

    def _take(self) -> None:
        with self._lock:
            self._is_taken = True
            call, self._call_when_free = self._call_when_free, None
        if call is not None:
            call()

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
        """The gaps that came after the opening."""
        return [event for event in self.events if isinstance(event, Gap)]


def open_stream(board: Switchboard, session: StoredSession, after: int | None, sink: RecordingSink) -> Listener:
    """Open a stream. Its listener is closed when the stream ends, as a transport does it."""
    listener = board.open(session, after, sink)
    sink.closes = lambda: board.close(listener)
    if sink.is_over:
        board.close(listener)
    return listener
