"""The time by which the current call must be answered. Every wait of the call looks here."""

from __future__ import annotations

import time
from contextvars import ContextVar

from chatbooth_grpc.booth.errors import DeadlineExceeded

current_deadline: ContextVar[float | None] = ContextVar("current_deadline", default=None)
"""When the current call must be answered, in monotonic seconds. None means no deadline."""


# A function with @contextmanager would take three times as long, and every call needs it.
class deadline_at:  # noqa: N801  # it reads as a function
    """Set a deadline, in monotonic seconds, for the calls made inside a `with` block. None means no deadline."""

    __slots__ = ("_deadline", "_reset")

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline

    def __enter__(self) -> None:
        self._reset = current_deadline.set(self._deadline)

    def __exit__(self, *_: object) -> None:
        current_deadline.reset(self._reset)


def time_remaining(at_most: float) -> float:
    """Return the seconds left until the deadline, but at most `at_most`. Without a deadline return `at_most`.

    Raises DeadlineExceeded if no time is left.
    """
    deadline = current_deadline.get()
    if deadline is None:
        return at_most
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded
    return min(left, at_most)
