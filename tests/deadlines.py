"""Deadlines that begin now, for tests."""

from __future__ import annotations

import time

from chatbooth_grpc.booth.deadline import deadline_at


def deadline_in(seconds: float | None) -> deadline_at:
    """Set a deadline `seconds` from now for the calls made inside a `with` block. None means no deadline."""
    return deadline_at(None if seconds is None else time.monotonic() + seconds)
