"""The turns of a bulkhead: a few callers work, a few wait, and the rest are refused."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.errors import DeadlineExceeded, TooBusy
from tests.booth.spies import Gate
from tests.deadlines import deadline_in


def test_one_too_many_is_refused_by_the_limits_name() -> None:
    bulkhead = Bulkhead("moons at once", working=1, waiting=0)
    with bulkhead:
        with pytest.raises(TooBusy, match="moons at once") as refusal, deadline_in(5.0), bulkhead:
            pytest.fail("it was let in")
        assert refusal.value.retry_after > 0
    # There is room again.
    with bulkhead:
        pass


def test_a_waiting_caller_gets_the_next_turn() -> None:
    bulkhead = Bulkhead("moons at once", working=1, waiting=1)
    gate = Gate()
    most, now, count = 0, 0, threading.Lock()

    def work(hold: bool) -> None:
        nonlocal most, now
        with bulkhead:
            with count:
                now += 1
                most = max(most, now)
            if hold:
                gate.hold()
            with count:
                now -= 1

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(work, hold=True)
        gate.wait_until_reached()
        others: list[Future[None]] = [threads.submit(work, hold=False) for _ in range(2)]
        refused = _first_ended(others)
        assert isinstance(refused.exception(), TooBusy)
        gate.open()
        first.result()
        [waited] = [other for other in others if other is not refused]
        waited.result()
    assert most == 1


def _first_ended(futures: list[Future[None]]) -> Future[None]:
    """Return the first of the futures to end."""
    ended = threading.Event()
    for future in futures:
        future.add_done_callback(lambda _: ended.set())
    assert ended.wait(20)
    return next(future for future in futures if future.done())


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_wait_ends_at_the_callers_deadline(seconds: float) -> None:
    bulkhead = Bulkhead("moons at once", working=1, waiting=5)
    with bulkhead:
        # It gives its place back.
        for _ in range(10):
            with deadline_in(seconds), pytest.raises(DeadlineExceeded), bulkhead:
                pytest.fail("it was let in")
    with bulkhead:
        pass


def test_a_turn_ends_with_its_work_however_that_ends() -> None:
    bulkhead = Bulkhead("moons at once", working=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), deadline_in(5.0), bulkhead:
            raise ZeroDivisionError
    with deadline_in(5.0), bulkhead:
        pass


def test_callers_that_are_only_counted_fill_it_too() -> None:
    bulkhead = Bulkhead("moons at once", working=1, waiting=1)
    for _ in range(2):
        assert not bulkhead.is_full
        bulkhead.enter()
    assert bulkhead.is_full
    with pytest.raises(TooBusy), bulkhead:
        pytest.fail("it was let in")
    bulkhead.leave()
    assert not bulkhead.is_full
    with bulkhead:
        assert bulkhead.is_full
    assert not bulkhead.is_full


def test_any_number_may_wait_where_nothing_bounds_them() -> None:
    bulkhead = Bulkhead("moons at once", working=1)
    gate = Gate()
    order: list[int] = []

    def work(number: int) -> None:
        with bulkhead:
            order.append(number)
            gate.hold()

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(work, number) for number in range(8)]
        gate.wait_until_reached()
        assert len(order) == 1
        assert not bulkhead.is_full
        gate.open()
        for each in waiting:
            each.result()
    assert sorted(order) == [*range(8)]
