"""A call whose request is overdue is cancelled, and no other call is."""

from __future__ import annotations

import time

from chatbooth_grpc.rpc.grpcio.late_requests import REQUEST_LIMIT, Receiving, cancel_late


def test_only_overdue_calls_are_cancelled() -> None:
    cancelled: list[str] = []
    now = time.monotonic()
    receiving: Receiving = {
        "late": (now - REQUEST_LIMIT - 1, lambda: cancelled.append("late")),
        "new": (now, lambda: cancelled.append("new")),
    }
    cancel_late(receiving)
    assert cancelled == ["late"]


def test_a_call_that_ends_meanwhile_disturbs_nobody() -> None:
    """The cancel of one call may end other calls, which then leave the dictionary."""
    long_ago = time.monotonic() - REQUEST_LIMIT - 1
    receiving: Receiving = {}
    receiving.update(dict.fromkeys(range(3), (long_ago, receiving.clear)))
    cancel_late(receiving)
    assert receiving == {}
