"""One listener: a cursor over a mailbox, and a window over what it has sent ahead of the acknowledged.

A step reads the next messages behind the cursor and writes them to the stream. What bounds a client that never
reads, or never acknowledges, is the window: at most 256 messages or 1 MiB of content (but at least one message) are
out and not acknowledged; beyond it the log itself is the queue.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence

from chatbooth_grpc.booth.model import Message, MessageBatch
from chatbooth_grpc.booth.resuming import gap, opening
from chatbooth_grpc.booth.store import Batch, Store, StoredSession
from chatbooth_grpc.live.sink import Sink

WINDOW_MESSAGES = 256
WINDOW_SIZE = 1 << 20

READ_INTERVAL = 1.0
"""How long a stream may go on with what was appended just now, in seconds, before it reads the log again.

Only that tells that its session has ended, and what was acknowledged. The store sees to it behind either; this is for
what it forgets. It is shorter by chance: a thousand streams that were opened at once would all read at once.
"""

IDLE, QUEUED, RUNNING, WOKEN = range(4)
"""Where a listener is on its way through the pumps; woken: running, and to run once more."""


class Listener:
    """A stream's cursor and window. One thread at a time steps it, when its sink is free."""

    __slots__ = (
        "_after",
        "_opened",
        "_out",
        "_out_size",
        "_read_time",
        "is_open",
        "pumping",
        "sent_through",
        "session",
        "sink",
    )

    def __init__(self, session: StoredSession, after: int | None, sink: Sink) -> None:
        """`after`: the sequence to start behind; None: the session's cursor."""
        self.session = session
        self.sink = sink
        self.is_open = True  # the switchboard's
        self.pumping = IDLE  # the pumps'
        self._after = after
        self.sent_through = session.cursor if after is None else after
        self._opened = False
        self._read_time = 0.0  # monotonic
        self._out: deque[tuple[int, int]] | None = None  # (sequence, size) sent and not acknowledged; None: none
        self._out_size = 0

    def step(self, store: Store) -> bool:
        """Write the next event, if there is one to be written; return whether there is more to do at once.

        Raises SessionInvalid, CursorPastEnd, and what the store raises when it cannot be read.
        """
        if not self._opened:
            return self._open(store)
        room = WINDOW_MESSAGES - len(self._out or ())
        if room > WINDOW_MESSAGES // 2 and time.monotonic() - self._read_time < READ_INTERVAL:
            recent = store.recent(self.session, self.sent_through)
            if recent and len(self._fitting(recent)) == len(recent) <= room:
                self._send_messages(recent)
                return False  # what comes behind them wakes this listener again
        self._read_time = time.monotonic() - random.uniform(0, READ_INTERVAL / 2)  # noqa: S311  # no secret
        batch = store.after(self.session, self.sent_through, room, WINDOW_SIZE)
        self._forget_acknowledged(batch.cursor)
        if room == 0:
            return len(self._out or ()) < WINDOW_MESSAGES  # acknowledged since: read again, with room
        return self._send(batch)

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
            return self.sink.send(missing)  # the next step reads again: a step writes one event
        return self._send_messages(self._fitting(batch.messages)) and self.sent_through < batch.last_sequence

    def _send_messages(self, messages: Sequence[Message]) -> bool:
        """Send messages that fit the window, if there are any; return whether they went out."""
        if not messages or not self.sink.send(MessageBatch(messages)):
            return False
        self._note_sent(messages)
        return True

    def _fitting(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the first of the messages, as far as the window's size has room; one always fits an empty window."""
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
            self._out = None  # an idle listener keeps no queue: there may be thousands
