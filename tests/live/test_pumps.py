"""The pumps: a step follows each wake, a stream has one thread, and mailboxes take turns."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live import pumps as module
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.pumps import Pumps
from tests.live.recording_sink import RecordingSink
from tests.waiting import wait_until

SESSION = StoredSession(1, 1, "ann", 1, 0, 0)
OTHER_SESSION = StoredSession(2, 2, "bob", 2, 0, 0)
NEVER = 60.0
"""A limit in seconds that no test reaches."""

Make = Callable[..., Pumps]


def listener() -> Listener:
    """A listener for a step of the test's own."""
    return Listener(SESSION, None, RecordingSink())


def sink_of(listener: Listener) -> RecordingSink:
    """Its stream."""
    assert isinstance(listener.sink, RecordingSink)
    return listener.sink


def pump_threads() -> set[threading.Thread]:
    """All pumps of this process."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("pump-")}


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes pumps with steps of the test's own. After the test they are stopped, and no thread may be left."""
    before = pump_threads()
    made: list[Pumps] = []

    def make(step: module.Step, count: int = 2) -> Pumps:
        made.append(Pumps(step, count))
        return made[-1]

    yield make
    for pumps in made:
        pumps.stop()
    assert pump_threads() <= before


def test_each_wake_is_followed_by_a_step_and_no_listener_has_two_at_once(make: Make) -> None:
    listeners = [listener() for _ in range(5)]
    news = Counter[Listener]()
    seen = dict.fromkeys(listeners, 0)
    inside = {one: threading.Lock() for one in listeners}
    overlaps: list[Listener] = []

    def step(one: Listener) -> bool:
        if not inside[one].acquire(blocking=False):
            overlaps.append(one)
            return False
        seen[one] = news[one]
        # This waits for nothing. It gives another thread the chance to be inside too.
        time.sleep(0)
        inside[one].release()
        return False

    pumps = make(step, count=4)

    def press(one: Listener) -> None:
        for _ in range(2_000):
            # Only this thread does so.
            news[one] += 1
            pumps.wake([one])

    with ThreadPoolExecutor(len(listeners)) as threads:
        list(threads.map(press, listeners))
    wait_until(lambda: all(seen[one] == news[one] for one in listeners))
    assert overlaps == []


def test_a_wake_during_a_step_makes_another_step_after_it(make: Make) -> None:
    entered, leave = threading.Semaphore(0), threading.Semaphore(0)
    steps: list[Listener] = []

    def step(one: Listener) -> bool:
        steps.append(one)
        entered.release()
        assert leave.acquire(timeout=NEVER)
        return False

    pumps, one = make(step), listener()
    pumps.wake([one])
    assert entered.acquire(timeout=NEVER)
    for _ in range(3):
        pumps.wake([one])
    assert not entered.acquire(timeout=0.05)
    leave.release()
    assert entered.acquire(timeout=NEVER)
    leave.release()
    # Three wakes are followed by one step.
    assert not entered.acquire(timeout=0.05)
    assert steps == [one, one]


def test_one_that_always_has_more_does_not_starve_the_rest(make: Make) -> None:
    steps = Counter[Listener]()
    busy = [listener() for _ in range(3)]

    def step(one: Listener) -> bool:
        steps[one] += 1
        return one in busy

    pumps = make(step, count=1)
    try:
        for one in busy:
            pumps.wake([one])
        for _ in range(20):
            rare = listener()
            pumps.wake([rare])
            wait_until(lambda rare=rare: steps[rare] == 1)  # type: ignore[misc]
        wait_until(lambda: all(steps[one] > 100 for one in busy))
        # Each mailbox has its turn.
        assert max(steps[one] for one in busy) <= min(steps[one] for one in busy) + 2
    finally:
        busy.clear()


def test_a_bug_ends_its_own_stream_alone(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    bad, good = listener(), listener()
    steps: list[Listener] = []

    def step(one: Listener) -> bool:
        steps.append(one)
        if one is bad:
            raise ZeroDivisionError
        return False

    pumps = make(step, count=1)
    with caplog.at_level(logging.ERROR):
        pumps.wake([bad])
        pumps.wake([good])
        wait_until(lambda: steps == [bad, good])
    assert sink_of(bad).aborted.is_set()
    assert not sink_of(good).aborted.is_set()
    assert "a listener failed" in caplog.text


def test_a_mailbox_with_thousands_of_listeners_delays_another_by_one_step(make: Make) -> None:
    steps: list[Listener] = []
    gate = threading.Event()

    def step(one: Listener) -> bool:
        assert gate.wait(NEVER)
        steps.append(one)
        return False

    pumps = make(step, count=1)
    first, *many = [listener() for _ in range(3_001)]
    other = Listener(OTHER_SESSION, None, RecordingSink())
    pumps.wake([first])
    pumps.wake(many)
    pumps.wake([other])
    gate.set()
    wait_until(lambda: len(steps) == 3_002)
    assert steps.index(other) <= 2
    assert [one for one in steps if one is not other] == [first, *many]


def test_stopping_first_takes_the_queued_steps() -> None:
    before = pump_threads()
    served: list[Listener] = []
    gate = threading.Event()

    def step(one: Listener) -> bool:
        assert gate.wait(NEVER)
        served.append(one)
        return False

    pumps = Pumps(step, 2)
    listeners = [listener() for _ in range(20)]
    for one in listeners:
        pumps.wake([one])
    stopping = threading.Thread(target=pumps.stop)
    stopping.start()
    gate.set()
    stopping.join()
    assert set(served) == set(listeners)
    assert pump_threads() <= before


def test_an_idle_listener_is_stepped_on_the_callers_thread(make: Make) -> None:
    stepped: list[threading.Thread] = []

    def step(_one: Listener) -> bool:
        stepped.append(threading.current_thread())
        return False

    def step_twice(one: Listener) -> bool:
        # A pump makes the second step.
        return not step(one)

    pumps, one = make(step), listener()
    pumps.step_here(one, step)
    assert stepped == [threading.current_thread()]
    pumps.step_here(one, step_twice)
    wait_until(lambda: len(stepped) == 3)
    assert stepped[1] is threading.current_thread()
    assert stepped[2] in pump_threads()


def test_a_listener_that_a_pump_steps_is_not_stepped_by_another_thread(make: Make) -> None:
    entered, leave = threading.Semaphore(0), threading.Semaphore(0)

    def step(_one: Listener) -> bool:
        entered.release()
        assert leave.acquire(timeout=NEVER)
        return False

    def fail(_one: Listener) -> bool:
        raise AssertionError("two threads step one listener")

    pumps, one = make(step), listener()
    pumps.wake([one])
    assert entered.acquire(timeout=NEVER)
    pumps.step_here(one, fail)
    # The pump makes up for it.
    leave.release(2)
    assert entered.acquire(timeout=NEVER)
    assert not sink_of(one).aborted.is_set()


def test_a_step_that_fails_on_the_callers_thread_ends_the_stream(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_one: Listener) -> bool:
        raise ZeroDivisionError

    pumps, one = make(lambda _one: False), listener()
    with caplog.at_level(logging.ERROR):
        pumps.step_here(one, fail)
    assert sink_of(one).aborted.is_set()
    assert "a listener failed" in caplog.text
