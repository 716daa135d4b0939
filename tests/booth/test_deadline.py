"""The current call's deadline, as the waits of the call see it."""

from __future__ import annotations

import threading

import pytest

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import DeadlineExceeded
from tests.deadlines import deadline_in


def test_without_a_deadline_all_that_is_asked_for_is_left() -> None:
    assert time_remaining(5.0) == 5.0
    with deadline_in(None):
        assert time_remaining(5.0) == 5.0


def test_a_deadline_bounds_the_time_that_is_left() -> None:
    with deadline_in(60.0):
        assert 55.0 < time_remaining(float("inf")) <= 60.0
        assert time_remaining(5.0) == 5.0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_past_the_deadline_nothing_is_left(seconds: float) -> None:
    with deadline_in(seconds), pytest.raises(DeadlineExceeded):
        time_remaining(5.0)


def test_a_deadline_ends_with_its_call() -> None:
    with deadline_in(60.0):
        with pytest.raises(DeadlineExceeded), deadline_in(0.0):
            time_remaining(5.0)
        assert time_remaining(100.0) <= 60.0
        with deadline_in(None):
            assert time_remaining(100.0) == 100.0
        assert time_remaining(100.0) <= 60.0
    assert time_remaining(100.0) == 100.0


def test_a_deadline_is_its_own_calls_alone() -> None:
    seen: list[float] = []
    with deadline_in(1.0):
        other = threading.Thread(target=lambda: seen.append(time_remaining(100.0)))
        other.start()
        other.join()
    assert seen == [100.0]
