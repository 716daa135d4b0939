"""Pieces of work for the writer of a store, and how their callers learn the outcomes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from chatbooth_grpc.booth.call_log import Call, current_call
from chatbooth_grpc.booth.errors import ChatboothError, StoreUnavailable
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import NewMessage, Settle
from chatbooth_grpc.store.engine import Outcomes

T = TypeVar("T")


class Job(Generic[T]):
    """A piece of work, the time until which it may begin, its outcome, and how its caller learns of it."""

    __slots__ = ("call", "deadline", "done", "error", "result", "work")

    def __init__(self, work: Callable[[Any], T], deadline: float) -> None:
        self.work = work
        self.deadline = deadline
        # The call for which it is done, for the log.
        self.call = current_call()
        # If a caller blocks until the work is done, this is held until then.
        self.done: threading.Lock | None = None
        self.result: T | None = None
        self.error: ChatboothError | None = None

    @property
    def has_caller(self) -> bool:
        """Whether a caller waits for the outcome."""
        return self.done is not None

    def admit(self, now: float) -> bool:
        """Return whether the job may still begin. If not, it has failed."""
        # A transaction that was rolled back may have left an error.
        self.error = None
        if self.deadline <= now:
            # The caller has stopped waiting, or it gets this error.
            self.fail(StoreUnavailable())
            return False
        return True

    def fail(self, error: ChatboothError) -> None:
        """Note the outcome."""
        self.error = error


class AppendJob:
    """Messages to append, perhaps in lanes, whose caller is called back."""

    __slots__ = ("_refusals", "call", "deadline", "fit", "messages", "queued_time", "result", "settle")

    def __init__(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        self.messages = messages
        self.settle = settle
        # When it came into the queue, and for which call. An observer and the log read these.
        self.queued_time = 0.0
        self.call: Call | None = None
        self.deadline = float("inf")
        self.result: Outcomes = []
        # The messages whose lanes had not failed when the job was admitted.
        self.fit = messages
        # An entry for each message, or an empty list if none is refused.
        self._refusals: list[ChatboothError | None] = []

    @property
    def has_caller(self) -> bool:
        """Whether a caller waits for the outcome."""
        return True

    def admit(self, now: float) -> bool:
        """Return whether the job may still begin. If it may, note which of its messages are refused."""
        if self.deadline <= now:
            self.fail(StoreUnavailable())
            return False
        refusals = [None if new.lane is None else new.lane.error for new in self.messages]
        if any(refusals):
            self._refusals = refusals
            self.fit = [new for new, refusal in zip(self.messages, refusals, strict=True) if refusal is None]
        return True

    def note(self, outcomes: Iterator[Receipt | ChatboothError]) -> None:
        """Take the outcomes of the messages that were appended, and note the outcomes of all messages."""
        if self._refusals:
            self.result = [next(outcomes) if refusal is None else refusal for refusal in self._refusals]
        else:
            self.result = [*itertools.islice(outcomes, len(self.messages))]

    def fail(self, error: ChatboothError) -> None:
        """Note the outcomes, and fail the lanes of the messages."""
        self.result = self.failed(error)

    def failed(self, error: ChatboothError) -> Outcomes:
        """Fail the lanes of the messages, and return the outcomes of all messages."""
        return [error if new.lane is None else new.lane.fail(error) for new in self.messages]


AnyJob = Job[object] | AppendJob
