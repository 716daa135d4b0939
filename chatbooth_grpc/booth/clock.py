"""The clock that everything durable is dated by; tests pass their own."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives the time in whole microseconds since 1970-01-01 UTC."""


def wall_clock() -> int:
    """The system's time."""
    return time.time_ns() // 1_000
