"""Cancels calls whose request does not come."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import TypeAlias

REQUEST_LIMIT = 10.0
"""How long a call's request may take to arrive after its headers, in seconds."""

Receiving: TypeAlias = dict[Hashable, tuple[float, Callable[[], object]]]
"""For each call that waits for its request: since when, in monotonic seconds, and the function that cancels it."""


def cancel_late(receiving: Receiving) -> None:
    """Cancel the calls whose request is overdue. Call this about once a second."""
    oldest = time.monotonic() - REQUEST_LIMIT
    for cancel in [cancel for since, cancel in list(receiving.values()) if since < oldest]:
        cancel()
