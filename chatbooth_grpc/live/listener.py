"""One listener: a cursor over a mailbox, and a window of unacknowledged messages.

A step reads the messages that follow the cursor and writes them to the stream. The window bounds the messages that the
stream has sent and the client has not acknowledged: at most 256 messages or 1 MiB of content, but at least one message.
So a client that never reads, or never acknowledges, costs a bounded amount of memory. The other messages wait in the
log.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence

from chatbooth_grpc.booth.model import Message, MessageBatch
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.resuming import gap, opening
from chatbooth_grpc.booth.store import Batch, Store, StoredSession
from chatbooth_grpc.live.sink import Sink

WINDOW_MESSAGES = 256
WINDOW_SIZE = 1 << 20

READ_INTERVAL = 1.0
"""How long a stream may send messages from the store's cache, in seconds, before it must read the log again.

Only a read of the log finds that the session has ended, or how far the client has acknowledged. After either of them,
the store drops its cache, so that the stream reads the log. This interval limits the harm if a bug keeps the store from
doing so. The listener shortens it at random, because a thousand streams that were opened at once would otherwise all
read at once.
"""

IDLE, QUEUED, RUNNING, WOKEN = range(4)
"""The states of a listener in the pumps. WOKEN means that a pump runs it, and must run it once more."""


class Listener:
    """A stream's cursor and window. One thread at a time steps it, when its sink is free."""

    __slots__ = (
        "_after",
        "_observer",
        "_opened",
        "_out",
        "_out_size",
        "_read_time",
        "hinted",
        "is_open",
        "pumping",
        "sent_through",
        "session",
        "sink",
    )

    def __init__(self, session: StoredSession, after: int | None, sink: Sink, observer: Observer | None = None) -> None:
        """The stream starts after the sequence `after`. None means the session's cursor."""
        self.session = session
        self.sink = sink
        # Only the switchboard changes this.
        self.is_open = True
        # Only the pumps change this.
        self.pumping = IDLE
        # For the observer: when a commit hinted at messages that are not sent yet.
        self.hinted: float | None = None
        self._observer = observer
        self._after = after
        self.sent_through = session.cursor if after is None else after
        self._opened = False
        # When the log was last read, in monotonic seconds.
        self._read_time = 0.0
        # The sequence and size of each message that was sent and is not acknowledged. None if there is no such message.
        self._out: deque[tuple[int, int]] | None = None
        self._out_size = 0

    def step(self, store: Store) -> bool:
        """Write the next event, if there is one. Return whether there is more to do at once.

        Raises SessionInvalid, CursorPastEnd, and the store's errors if it cannot be read.
        """
        if not self._opened:
            return self._open(store)
        if self.send_cached(store):
            # Messages that follow these wake this listener again.
            return False
        self._read_time = time.monotonic() - random.uniform(0, READ_INTERVAL / 2)  # noqa: S311  # no secret
        room = self._room
        batch = store.after(self.session, self.sent_through, room, WINDOW_SIZE)
        self._forget_acknowledged(batch.cursor)
        if room == 0:
            # If the client has acknowledged some meanwhile, there is room now, and the next step reads again.
            return len(self._out or ()) < WINDOW_MESSAGES
        return self._send(batch)

    def send_cached(self, store: Store) -> bool:
        """Send the messages that the store caches, unless the log must be read. Return whether this sent them.

        This never blocks, so the store's own thread may call it.
        """
        room = self._room
        if not self._opened or room <= WINDOW_MESSAGES // 2 or time.monotonic() - self._read_time >= READ_INTERVAL:
            return False
        cached = store.cached_messages(self.session, self.sent_through)
        if not cached or not len(self._fitting(cached)) == len(cached) <= room:
            return False
        self._send_messages(cached)
        return True

    @property
    def _room(self) -> int:
        """How many more messages the window takes."""
        return WINDOW_MESSAGES - len(self._out or ())

    def _open(self, store: Store) -> bool:
        batch = store.after(self.session, self._after, 0, WINDOW_SIZE)
        self._opened = True
        start = opening(store.epoch, self.session, batch.cursor if self._after is None else self._after, batch)
        self.sent_through = max(start.resumed_after, batch.removed_through)
        return self.sink.send(start) and start.replaying > 0

    def _send(self, batch: Batch) -> bool:
        missing = gap(self.sent_through, batch)
        if missing is not None:
            self.sent_through = missing.last
            # A step writes one event. The next step reads the messages after the gap.
            return self.sink.send(missing)
        return self._send_messages(self._fitting(batch.messages)) and self.sent_through < batch.last_sequence

    def _send_messages(self, messages: Sequence[Message]) -> bool:
        """Send messages that fit the window, if there are any. Return whether they were sent."""
        if not messages or not self.sink.send(MessageBatch(messages)):
            return False
        self._note_sent(messages)
        if self._observer is not None:
            self._observer.pushed(self.session, messages, self.hinted)
            self.hinted = None
        return True

    def _fitting(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the first messages, as many as the window's size has room for. One always fits an empty window."""
        size = self._out_size
        for count, message in enumerate(messages):
            size += len(message.content)
            if size > WINDOW_SIZE and (self._out or count):
                return messages[:count]
        return messages

    def _note_sent(self, messages: Sequence[Message]) -> None:
        if self._out is None:
            self._out = deque()
        for message in messages:
            self._out.append((message.sequence, len(message.content)))
            self._out_size += len(message.content)
        self.sent_through = messages[-1].sequence

    def _forget_acknowledged(self, cursor: int) -> None:
        out = self._out
        while out and out[0][0] <= cursor:
            self._out_size -= out.popleft()[1]
        if not out:
            # There may be thousands of idle listeners, so an idle one keeps no queue.
            self._out = None
