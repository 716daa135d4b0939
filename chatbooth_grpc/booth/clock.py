"""The clocks of a machine: its time of day, and the time that passes evenly. Tests pass their own."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives whole microseconds: a time of day since 1970-01-01 UTC, an even one since any moment."""

# Either goes on while the machine sleeps: the one on Linux, the other on macOS.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall_clock() -> int:
    """The system's time of day, which somebody may set to anything."""
    return time.time_ns() // 1_000


def steady_clock() -> int:
    """The time since the machine started, which nobody can set."""
    return time.clock_gettime_ns(_STEADY) // 1_000
