"""Repeating calls that are safe to repeat, with exponential backoff and full jitter."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    ResourceExhausted,
    ServerUnreachable,
    Unavailable,
)
from chatbooth_grpc.booth.repeating import RETRIED

FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 2.0
"""The longest random pause between two attempts, in seconds. It starts at `FIRST_BACKOFF` and doubles."""

_T = TypeVar("_T")


class Retrying:
    """Repeats a call until it answers, fails for good, or has no time left.

    `booth.repeating.RETRIED` has the failures that are worth another try. `clock` gives seconds that only grow.
    `random` gives a number from 0 to 1. `on_retry` is called with each failure, and the pause in seconds after it.
    """

    def __init__(
        self,
        *,
        on_retry: Callable[[ChatboothError, float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._on_retry = on_retry
        self._clock = clock
        self._sleep = sleep
        self._random = random

    def call(self, attempt: Callable[[float], _T], *, timeout: float) -> _T:
        """Return the result of `attempt`. All attempts together take at most `timeout` seconds.

        `attempt` gets the seconds that are left.
        """
        deadline = self._clock() + timeout
        backoff = FIRST_BACKOFF
        worst: ChatboothError | None = None
        while True:
            try:
                return attempt(deadline - self._clock())
            except RETRIED as error:
                worst = _worse(worst, error)
                pause = _least_pause(error) + backoff * self._random()
                # Written in this way, the condition also ends the call if the pause is NaN.
                if not 0 <= pause < deadline - self._clock():
                    raise worst from (error if worst is not error else None)
                if self._on_retry:
                    self._on_retry(error, pause)
            self._sleep(pause)
            backoff = min(2 * backoff, LONGEST_BACKOFF)


def _least_pause(error: Unavailable | DeadlineExceeded | ResourceExhausted) -> float:
    """Return the pause that the server asked for, in seconds. A failed connection asked for none."""
    if isinstance(error, (DeadlineExceeded, ServerUnreachable)):
        return 0.0
    return error.retry_after


def _worse(earlier: ChatboothError | None, error: ChatboothError) -> ChatboothError:
    """Choose which of two failures to report: one that leaves the outcome open, and says most about the cause."""

    def weight(failure: ChatboothError) -> int:
        return 2 if isinstance(failure, Unavailable) else int(isinstance(failure, DeadlineExceeded))

    return error if earlier is None or weight(error) >= weight(earlier) else earlier
