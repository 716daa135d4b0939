"""The interface of those that watch what a server does: metrics and traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Message

if TYPE_CHECKING:
    from chatbooth_grpc.booth.call_log import Call
    from chatbooth_grpc.booth.store import NewMessage, Outcome, StoredSession

GRPC = "grpc"
WIRE = "wire"
"""The names of the two wires."""


class Append(Protocol):
    """Messages that were stored in one transaction for one caller."""

    @property
    def messages(self) -> Sequence[NewMessage]:
        """The messages, in their order."""

    @property
    def result(self) -> Sequence[Outcome]:
        """An outcome for each message."""

    @property
    def queued_time(self) -> float:
        """When the messages came into the store's queue, in monotonic seconds."""

    @property
    def call(self) -> Call | None:
        """The call that sends the messages: one for all messages that came together. None if no client sent them."""


class Observer(Protocol):
    """Is called on the threads that do the work, so each method must return at once and raise nothing.

    A server without an observer makes none of these calls. All times are in monotonic seconds.
    """

    def call_ended(self, call: Call, error: ChatboothError | None) -> None:
        """A call has its answer. None means that it succeeded."""

    def sends_ended(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        """Messages that came together have their outcomes. They share a call, whose end is not observed."""

    def connection_refused(self, limit: str) -> None:
        """A connection was refused. `limit` names the limit, as in TooBusy."""

    def transaction_ended(self, appends: Sequence[Append], began: float, *, committed: bool) -> None:
        """A transaction of the store has ended, and no caller knows it yet."""

    def pushed(self, session: StoredSession, messages: Sequence[Message], hinted: float | None) -> None:
        """Messages were written to a live stream.

        `hinted` is when a commit woke the stream for them. None means that they had waited for the stream to open.
        """

    def acknowledged(self, session: StoredSession, through: int) -> None:
        """A session has acknowledged the messages up to a sequence."""


class Observers:
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def call_ended(self, call: Call, error: ChatboothError | None) -> None:
        for observer in self._observers:
            observer.call_ended(call, error)

    def sends_ended(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        for observer in self._observers:
            observer.sends_ended(call, outcomes)

    def connection_refused(self, limit: str) -> None:
        for observer in self._observers:
            observer.connection_refused(limit)

    def transaction_ended(self, appends: Sequence[Append], began: float, *, committed: bool) -> None:
        for observer in self._observers:
            observer.transaction_ended(appends, began, committed=committed)

    def pushed(self, session: StoredSession, messages: Sequence[Message], hinted: float | None) -> None:
        for observer in self._observers:
            observer.pushed(session, messages, hinted)

    def acknowledged(self, session: StoredSession, through: int) -> None:
        for observer in self._observers:
            observer.acknowledged(session, through)


def one_observer(observers: Sequence[Observer]) -> Observer | None:
    """Return one observer that stands for all of them. None if there are none."""
    if len(observers) > 1:
        return Observers(observers)
    return observers[0] if observers else None
