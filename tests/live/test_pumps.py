"""The pumps: every wake is followed by a step, no stream has two threads, and one that blocks holds up nobody."""

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
from tests.live.recording_sink import RecordingSink, wait_until

SESSION = StoredSession(1, 1, "ann", 1, 0, 0)
NEVER = 60.0
"""A limit, in seconds, that no test here reaches."""

Make = Callable[..., Pumps]


def listener() -> Listener:
    """A listener that is only stepped as a test says."""
    return Listener(SESSION, None, RecordingSink())


def sink_of(listener: Listener) -> RecordingSink:
    """Its stream."""
    assert isinstance(listener.sink, RecordingSink)
    return listener.sink


def pump_threads() -> set[threading.Thread]:
    """All pumps of this process, the watchdogs too."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("pump-")}


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes pumps with steps of the test's own; they are stopped behind it, and must leave no thread."""
    before = pump_threads()
    made: list[Pumps] = []

    def make(step: module.Step, count: int = 2, stuck_limit: float = NEVER) -> Pumps:
        made.append(Pumps(step, count, stuck_limit))
        return made[-1]

    yield make
    for pumps in made:
        for one in [pump.listener for pump in pumps._pumps]:  # what a test that failed left blocked
            if one is not None:
                one.sink.abort()
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
        time.sleep(0)  # lets another thread in
        inside[one].release()
        return False

    pumps = make(step, count=4)

    def press(one: Listener) -> None:
        for _ in range(2_000):
            news[one] += 1  # by this thread alone
            pumps.wake([one])

    with ThreadPoolExecutor(len(listeners)) as threads:
        list(threads.map(press, listeners))
    wait_until(lambda: all(seen[one] == news[one] for one in listeners))
    assert overlaps == []


def test_a_wake_during_a_step_is_another_step_behind_it(make: Make) -> None:
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
    assert not entered.acquire(timeout=0.05)  # three wakes, one look
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
        assert max(steps[one] for one in busy) <= min(steps[one] for one in busy) + 2  # each in its turn
    finally:
        busy.clear()


def test_a_defect_ends_its_own_stream_alone(make: Make, caplog: pytest.LogCaptureFixture) -> None:
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


def blocking_step(events: list[Listener], blocked: set[Listener]) -> module.Step:
    """A step that blocks for some listeners until their stream is cut off, and notes the others."""

    def step(one: Listener) -> bool:
        if one in blocked:
            sink_of(one).aborted.wait(NEVER)
        else:
            events.append(one)
        return False

    return step


def test_others_are_served_while_some_block_and_spare_pumps_go_away(make: Make) -> None:
    stuck = [listener() for _ in range(8)]
    served: list[Listener] = []
    before = len(pump_threads())
    pumps = make(blocking_step(served, set(stuck)))
    for one in stuck:
        pumps.wake([one])
    for _ in range(5):
        other = listener()
        pumps.wake([other])
        wait_until(lambda other=other: other in served)  # type: ignore[misc]
    wait_until(lambda: len(pump_threads()) >= before + 1 + 2 + len(stuck))  # two that are free, as ever
    for one in stuck:
        one.sink.abort()

    def are_as_before() -> bool:
        pumps.wake([listener()])  # one that is not needed goes when it has been of use
        return len(pump_threads()) == before + 1 + 2

    wait_until(are_as_before)


def test_there_are_no_more_spare_pumps_than_may_be(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SPARE_PUMPS", 3)
    monkeypatch.setattr(module, "_WATCH_INTERVAL", 0.01)
    stuck = [listener() for _ in range(12)]
    served: list[Listener] = []
    before = len(pump_threads())
    pumps = make(blocking_step(served, set(stuck)), stuck_limit=0.3)
    last = listener()
    for one in [*stuck, last]:
        pumps.wake([one])
    most = 0

    def is_served() -> bool:
        nonlocal most
        most = max(most, len(pump_threads()) - before)
        return last in served

    wait_until(is_served)
    assert most == 1 + 2 + 3
    assert all(sink_of(one).aborted.is_set() for one in stuck[:5])


def test_one_that_blocks_is_cut_off_at_the_limit_and_not_before(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    stuck, brief = listener(), listener()
    cut_off_after: list[float] = []

    def step(one: Listener) -> bool:
        started = time.monotonic()
        sink_of(one).aborted.wait(NEVER if one is stuck else 0.2)
        cut_off_after.append(time.monotonic() - started)
        return False

    pumps = make(step, stuck_limit=0.6)
    pumps.wake([brief])
    pumps.wake([stuck])
    wait_until(lambda: len(cut_off_after) == 2)
    assert cut_off_after[1] >= 0.6
    assert not sink_of(brief).aborted.is_set()
    assert "its client does not read" in caplog.text


def test_stopping_does_what_is_queued_first() -> None:
    before = pump_threads()
    served: list[Listener] = []
    gate = threading.Event()

    def step(one: Listener) -> bool:
        assert gate.wait(NEVER)
        served.append(one)
        return False

    pumps = Pumps(step, 2, NEVER)
    listeners = [listener() for _ in range(20)]
    for one in listeners:
        pumps.wake([one])
    stopping = threading.Thread(target=pumps.stop)
    stopping.start()
    gate.set()
    stopping.join()
    assert set(served) == set(listeners)
    assert pump_threads() <= before
