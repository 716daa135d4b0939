"""Reading a mailbox so that each message takes effect once."""

# When a reader asks for the next message, it has taken the one before. Only messages that were taken are acknowledged.
# So a reader that ends in between, in any way, has acknowledged no message that its application may not have seen. The
# server delivers the other messages again.

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

from chatbooth_grpc.booth.errors import CursorPastEnd
from chatbooth_grpc.booth.model import Delivery, Gap, Message, Opening
from chatbooth_grpc.client.state.history import History, Restored, Taken


class Deliver(Protocol):
    """`ChatClient.deliver`."""

    def __call__(
        self, *, acknowledge_through: int, after: int | None, max_messages: int, epoch: bytes | None
    ) -> Delivery:
        """Acknowledge up to a sequence, then return the next messages.

        `acknowledge_through` 0 acknowledges nothing. `after` None starts at the session's cursor. `max_messages` 0
        leaves the number to the server. `epoch` is the one in which `acknowledge_through` counts, None if not known.
        """


class Acknowledge(Protocol):
    """`ChatClient.acknowledge`."""

    def __call__(self, through: int, *, epoch: bytes | None) -> None:
        """Acknowledge up to a sequence, which counts in `epoch`."""


class Batches(Iterator[Delivery]):
    """The messages that wait in a mailbox, in batches, until no more wait.

    Asking for the next batch acknowledges the one before, with its gap, unless `keep` is set. `max_messages` is the
    most that the next batch may hold. 0 means the server's default. It may be changed between batches. `deliver` and
    `acknowledge` are those of a ChatClient. The batches start after the sequence `after`. None means at the session's
    cursor.

    If the server's store was restored from a backup, the batches start over at the session's cursor, and `restored`
    gets an entry before the next batch is returned. `epoch` is the one in which `after` counts, if that is known. With
    `strict`, a first `after` past the mailbox's end raises CursorPastEnd instead. `on_taken` is called before each
    acknowledgement. If it raises, nothing is acknowledged.

    A delivery without messages and without a gap ends the iteration, and is not returned. `opening` is that of the last
    delivery, also of that one: it tells an application whose mailbox is empty that the store was restored.
    """

    def __init__(
        self,
        deliver: Deliver,
        acknowledge: Acknowledge,
        *,
        after: int | None = None,
        epoch: bytes | None = None,
        max_messages: int = 0,
        keep: bool = False,
        strict: bool = True,
        on_taken: Taken | None = None,
    ) -> None:
        self.opening: Opening | None = None
        self.restored: list[Restored] = []
        self.max_messages = max_messages
        self._deliver = deliver
        self._acknowledge = acknowledge
        self._keep = keep
        self._strict = strict
        self._on_taken = on_taken
        self._after = after
        self._history = History(epoch, after or 0)
        self._acknowledged = 0
        self._last = 0
        self._more = True

    def __next__(self) -> Delivery:
        """Acknowledge the batch before, and return the next. At the end, acknowledge the last one."""
        if not self._more:
            self.acknowledge()
        if not self._more:
            raise StopIteration
        delivery = self._deliver_next()
        while (restored := self._history.check(delivery.opening)) is not None:
            self.restored.append(restored)
            self._start_over()
            delivery = self._deliver_next()
        self.opening = delivery.opening
        end = _end(delivery)
        # A batch that leads nowhere must not be fetched again for ever.
        self._more = delivery.more and end > self._last
        self._after = self._last = max(self._last, end)
        self._history.note_reached(self._last)
        if not delivery.messages and not delivery.opening.gap:
            raise StopIteration
        return delivery

    def acknowledge(self, through: int | None = None) -> None:
        """Acknowledge the batch returned last, or up to the sequence `through`.

        This is for a reader that stops before the end. Raises as `ChatClient.acknowledge`.
        """
        taken = self._last if through is None else through
        if taken <= self._acknowledged or self._keep:
            return
        self._note(taken)
        try:
            self._acknowledge(taken, epoch=self._history.epoch)
        except CursorPastEnd:
            self._note_past_end()
        else:
            self._acknowledged = taken

    def _deliver_next(self) -> Delivery:
        """Acknowledge the batch before, and fetch the next. If the history went back, start at the session's cursor."""
        while True:
            pending = self._last if self._last > self._acknowledged and not self._keep else 0
            if pending:
                self._note(pending)
            try:
                delivery = self._deliver(
                    acknowledge_through=pending,
                    after=self._after,
                    max_messages=self.max_messages,
                    epoch=self._history.epoch,
                )
            except CursorPastEnd:
                # If the request held no sequence of this reader, another try would fail in the same way.
                if self._after is None or (self._strict and not self._last):
                    raise
                self._note_past_end()
            else:
                self._acknowledged = max(self._acknowledged, pending)
                return delivery

    def _note_past_end(self) -> None:
        self._history.note_past_end()
        self._start_over()

    def _start_over(self) -> None:
        """Forget the sequences so far. They belong to a history that the server no longer has."""
        self._after = None
        self._last = self._acknowledged = 0
        self._more = True
        self._note(0)

    def _note(self, through: int) -> None:
        """Call `on_taken` with the last sequence that was taken."""
        if self._on_taken is not None and self._history.epoch is not None:
            self._on_taken(self._history.epoch, through)


class Inbox(Iterator[Message]):
    """The messages that wait in a mailbox, one by one. `ChatClient.messages` makes it.

    Asking for the next message says that the one before was taken. The messages that were taken are acknowledged with
    the next batch, at the end, by `close` and at the end of a `with` block. A block that ends by an error acknowledges
    nothing, so that they are delivered again. Iterating may continue after a `break`.

    An application may have effects that it must not repeat even if it is killed. It keeps the last sequence together
    with the effect, and passes it as `after` the next time. `gaps` has the messages that retention removed before they
    could be delivered, in order. If the server's store was restored from a backup, `restored` says so, and the next
    messages start at the session's cursor.
    """

    def __init__(self, batches: Batches) -> None:
        self.gaps: list[Gap] = []
        self._batches = batches
        self._waiting: deque[Message] = deque()
        self._given = 0
        self._taken = 0

    @property
    def restored(self) -> list[Restored]:
        """An entry for each time that the history went back before the message given last."""
        return self._batches.restored

    def __next__(self) -> Message:
        """Return the next message. Raises as `ChatClient.deliver`."""
        self._taken = self._given
        while not self._waiting:
            restores = len(self._batches.restored)
            delivery = next(self._batches)
            if len(self._batches.restored) > restores:
                self._given = self._taken = 0
            self._waiting.extend(message for message in delivery.messages if message.sequence > self._given)
            if delivery.opening.gap:
                self.gaps.append(delivery.opening.gap)
        message = self._waiting.popleft()
        self._given = message.sequence
        return message

    def close(self) -> None:
        """Acknowledge the messages that were taken. The last one counts only if the next one was asked for."""
        self._batches.acknowledge(self._taken)

    def __enter__(self) -> Inbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()


def _end(delivery: Delivery) -> int:
    """Return the last sequence of a delivery: the one of its messages, or else of its gap."""
    if delivery.messages:
        return delivery.messages[-1].sequence
    return delivery.opening.gap.last if delivery.opening.gap else 0
