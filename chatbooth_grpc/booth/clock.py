"""The clocks of a machine: its time of day, and a steady one. Tests pass their own."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns whole microseconds. A time of day counts from 1970-01-01 UTC, a steady clock from any moment."""

# This clock goes on while the machine sleeps: CLOCK_BOOTTIME on Linux, CLOCK_MONOTONIC on macOS.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall_clock() -> int:
    """Return the system's time of day, which a person or a program may set to anything."""
    return time.time_ns() // 1_000


def steady_clock() -> int:
    """Return the time since the machine started, which nobody can set."""
    return time.clock_gettime_ns(_STEADY) // 1_000
