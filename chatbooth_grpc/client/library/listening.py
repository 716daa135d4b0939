"""A live stream that survives lost connections, and delivers each message once.

A reader thread moves the events of the transport's stream into a queue. Everything else happens on the thread that
iterates. Asking for the next event says that the one before was taken. Only messages that were taken are acknowledged,
after 64 messages or half a second. The connection may be lost at any point. The next one starts after the last event
that was returned, so no event comes twice and none is left out.

    opening ──▶ batches and gaps ──▶ end, or the connection breaks ──▶ pause ──▶ opening …

If the store was restored from a backup, the old sequences mean nothing. The stream says so by a Restored event, and
starts again from the session's cursor. `History` notices it. Until a connection's opening has been checked, nothing is
acknowledged, since the sequence might be another message's.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from chatbooth_grpc.booth.actions import ACKNOWLEDGE, AcknowledgeRequest
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    CursorPastEnd,
    FailedPrecondition,
    InvalidArgument,
    ServerUnreachable,
    Unauthenticated,
)
from chatbooth_grpc.booth.model import End, Event, Gap, MessageBatch, Opening, UnknownEvent
from chatbooth_grpc.booth.trust_errors import NotTrusted
from chatbooth_grpc.client.library.transport import EventStream, Transport
from chatbooth_grpc.client.state.forks import OneProcess
from chatbooth_grpc.client.state.history import History, Restored, Taken

ACKNOWLEDGE_MESSAGES = 64
ACKNOWLEDGE_DELAY = 0.5
"""An acknowledgement is sent after this many messages, or this many seconds after the first that was taken."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""The longest random pause before another connection, in seconds. It starts at `FIRST_PAUSE` and doubles."""

_ACKNOWLEDGE_TIMEOUT = 5.0

_INTERRUPTED_TIMEOUT = 0.5
"""After Ctrl-C the last acknowledgement gets this many seconds. Messages that it does not reach come again."""

_LONGEST_READER_END = 0.5
"""The seconds for which closing waits for the reader thread, which may be connecting to a silent address."""

_log = logging.getLogger(__name__)

Lost = Callable[[ChatboothError, float], None]
Resumed = Callable[[Opening], None]


class Listening(Iterator[MessageBatch | Gap | Restored]):
    """The messages of a mailbox: those that wait, and then those that come. `ChatClient.listen` makes it.

    Iterating blocks until an event comes. It ends after `close`, which any thread may call. It raises an error only if
    another connection would not help, for example SessionInvalid.
    """

    def __init__(
        self,
        transport: Transport,
        token: bytes,
        *,
        after: int | None = None,
        epoch: bytes | None = None,
        on_lost: Lost | None = None,
        on_resumed: Resumed | None = None,
        on_taken: Taken | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        """`token` is the session's 16 bytes. `after` is the last sequence that was taken before, in the epoch `epoch`
        (16 bytes). None means to start at the session's cursor.

        `on_lost` is called with the error that broke the stream, and the pause in seconds before the next try.
        `on_resumed` is called with the opening of each connection. `on_taken` is called before the server hears that
        messages were taken. If it raises an error, that error is raised, and nothing more is acknowledged.
        """
        self._transport = transport
        self._token = token
        # The positions in the mailbox are sequences. Each is at most the next one: the server has heard through
        # `_acknowledged`, the caller has taken through `_taken`, and this object has returned through
        # `_history.reached`. `_told` is the last sequence with which `on_taken` was called.
        self._acknowledged = 0
        self._taken = 0
        self._history = History(epoch, after or 0)
        self._told = after or 0
        # The next connection begins after this sequence. None means at the session's cursor.
        self._after = after
        self._on_lost = on_lost
        self._on_resumed = on_resumed
        self._on_taken = on_taken
        self._clock = clock
        self._random = random
        self._pause = FIRST_PAUSE
        # Whether the server has said that its epoch is the one in which these sequences count.
        self._is_open = False
        # When to send the next acknowledgement.
        self._due: float | None = None
        # Whether an event came whose kind this version does not know.
        self._met_unknown = False
        self._connection: _Connection | None = None
        self._closed = threading.Event()
        self._process = OneProcess()

    def __next__(self) -> MessageBatch | Gap | Restored:
        """Return the next messages, a gap where retention removed some, or an event that the store was restored.

        Raises SessionInvalid if the session has ended. Raises other errors if a new connection would not help.
        """
        self._process.check()
        self._note_taken()
        while not self._closed.is_set():
            try:
                event = self._next_event()
            except (Unauthenticated, InvalidArgument, FailedPrecondition, NotTrusted):
                self.close()
                raise
            except CursorPastEnd as error:
                # A session's own cursor never lies past the end. So this is a failure like others.
                if self._after is None:
                    self._reconnect(error)
                else:
                    self._history.note_past_end()
                    self._start_over()
            except ChatboothError as error:
                if not self._closed.is_set():
                    self._reconnect(error)
            else:
                fresh = self._fresh(event)
                if fresh is not None:
                    return fresh
        raise StopIteration

    def close(self) -> None:
        """End the stream. Acknowledge the messages that were taken, if the server can be reached."""
        self._end(_ACKNOWLEDGE_TIMEOUT)

    def _end(self, timeout: float) -> None:
        if self._closed.is_set() or not self._process.is_here:
            return
        self._closed.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._acknowledge(timeout)

    def __enter__(self) -> Listening:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self._end(_INTERRUPTED_TIMEOUT if interrupted else _ACKNOWLEDGE_TIMEOUT)

    def _next_event(self) -> Event | UnknownEvent | None:
        """Return the next event of the connection. Connect if there is none. None means that no event came in time."""
        connection = self._connection
        if connection is None:
            connection = self._connection = _Connection(self._transport.listen(self._token, self._after))
            # Another thread may have closed the stream meanwhile.
            if self._closed.is_set():
                connection.close()
        wait = None if self._due is None else max(0.0, self._due - self._clock())
        event = connection.next(wait)
        if event is None:
            self._acknowledge()
        return event

    def _fresh(self, event: Event | UnknownEvent | None) -> MessageBatch | Gap | Restored | None:
        """Return the part of an event that was not returned before, or None."""
        match event:
            case Opening():
                return self._open(event)
            case MessageBatch(messages):
                fresh = [message for message in messages if message.sequence > self._history.reached]
                if fresh:
                    self._history.note_reached(fresh[-1].sequence)
                    return MessageBatch(fresh)
            case Gap(_, last, _) if last > self._history.reached:
                self._history.note_reached(last)
                return event
            case UnknownEvent(kind):
                self._note_unknown(kind)
            case End() | None | Gap():
                # The status that follows an end says what to do.
                pass
        return None

    def _note_unknown(self, kind: int) -> None:
        """Log the first event of a kind that this version does not know. It is skipped, as all such events are."""
        if not self._met_unknown:
            _log.debug("skipping events of kind %d, which this client does not know; update the client", kind)
        self._met_unknown = True

    def _open(self, opening: Opening) -> Gap | Restored | None:
        restored = self._history.check(opening)
        if restored is not None:
            self._start_over()
            return restored
        self._pause = FIRST_PAUSE
        self._history.note_reached(opening.resumed_after)
        self._after = self._history.reached
        self._is_open = True
        if self._taken > self._acknowledged and self._due is None:
            self._due = self._clock() + ACKNOWLEDGE_DELAY
        if self._on_resumed:
            self._on_resumed(opening)
        if opening.gap is not None and opening.gap.last > self._history.reached:
            self._history.note_reached(opening.gap.last)
            return opening.gap
        return None

    def _start_over(self) -> None:
        """Forget the sequences that were taken. They belong to a history that the server no longer has."""
        self._drop_connection()
        self._after = None
        self._taken = self._acknowledged = 0
        self._due = None
        self._tell_taken(0)

    def _reconnect(self, error: ChatboothError) -> None:
        """Pause, longer each time, before the next connection."""
        self._drop_connection()
        self._after = self._history.reached if self._history.epoch is not None else self._after
        pause = self._pause * (0.5 + self._random() / 2)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if self._on_lost:
            self._on_lost(error, pause)
        self._closed.wait(pause)

    def _drop_connection(self) -> None:
        self._is_open = False
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _note_taken(self) -> None:
        """Note that the caller has taken all that was returned, and acknowledge it if it is much."""
        if self._history.reached > self._taken:
            self._taken = self._history.reached
            if self._due is None:
                self._due = self._clock() + ACKNOWLEDGE_DELAY
        if self._taken - self._acknowledged >= ACKNOWLEDGE_MESSAGES:
            self._acknowledge()

    def _acknowledge(self, timeout: float = _ACKNOWLEDGE_TIMEOUT) -> None:
        """Acknowledge the messages that were taken. If that fails, try again later. The stream reports the failure."""
        if self._taken <= self._acknowledged:
            self._due = None
            return
        self._tell_taken(self._taken)
        if not self._is_open:
            # The store may have been restored meanwhile. In another epoch the same sequence is another message.
            self._due = None
            return
        try:
            request = AcknowledgeRequest(self._taken, self._history.epoch or b"")
            self._transport.call(ACKNOWLEDGE, self._token, request, timeout)
        except ChatboothError:
            self._due = self._clock() + ACKNOWLEDGE_DELAY
        else:
            self._acknowledged = self._taken
            self._due = None

    def _tell_taken(self, through: int) -> None:
        """Call `on_taken` with the last sequence that was taken."""
        if self._on_taken is not None and self._history.epoch is not None and through != self._told:
            self._on_taken(self._history.epoch, through)
            self._told = through


class _Connection:
    """One stream of the transport. Another thread reads it, so that the wait for an event can have an end."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        # The server's window bounds it.
        self._events: queue.SimpleQueue[Event | UnknownEvent | ChatboothError] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="listen-reader", daemon=True)
        self._reader.start()

    def next(self, wait: float | None) -> Event | UnknownEvent | None:
        """Return the next event, or None if none came within `wait` seconds. Raises the error that ended the stream."""
        try:
            event = self._events.get(timeout=wait)
        except queue.Empty:
            return None
        if isinstance(event, ChatboothError):
            raise event
        return event

    def close(self) -> None:
        """End the stream, and wake the thread that reads it."""
        self._stream.cancel()
        self._reader.join(_LONGEST_READER_END)

    def _read(self) -> None:
        try:
            for event in self._stream:
                self._events.put(event)
        except ChatboothError as error:
            self._events.put(error)
        else:
            self._events.put(ServerUnreachable("the server"))
