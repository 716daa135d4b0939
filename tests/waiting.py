"""Waiting for a condition that another thread or process brings about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE = 60.0
"""How long a test waits for something that must happen, in seconds. A busy machine is slow."""

_INTERVAL = 0.005


def wait_until(holds: Callable[[], bool], within: float = PATIENCE) -> float:
    """Wait until a condition holds, and return how many seconds that took. Fail if it does not hold in time."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < within, "the condition never came to hold"
        threading.Event().wait(_INTERVAL)
    return time.monotonic() - started
