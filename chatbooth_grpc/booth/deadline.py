"""The time by which the current call must be answered, known to whatever it waits for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from chatbooth_grpc.booth.errors import DeadlineExceeded

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline_in(seconds: float | None) -> Iterator[None]:
    """Give the calls made inside `seconds` from now; None: as long as they take."""
    token = _deadline.set(None if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def time_remaining(at_most: float) -> float:
    """Return the seconds left, `at_most` where there is more time or no deadline.

    Raises DeadlineExceeded: none are left.
    """
    deadline = _deadline.get()
    if deadline is None:
        return at_most
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded
    return min(left, at_most)
