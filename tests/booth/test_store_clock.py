"""Store time moves steadily when the time of day is set, and stamps give ages."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth import store_clock
from chatbooth_grpc.booth.store_clock import DAY, JUMP, KEEP_INTERVAL, LONGEST_DOUBT, SECOND, History, StoreClock

NOON = 1_760_000_000 * SECOND
YEAR = 365 * DAY
# This sets the clock to 1970, or to a time before it.
LONG_AGO = -NOON


class Machine:
    """A machine on which a test sets the time of day and lets time pass."""

    def __init__(self) -> None:
        self.wall = NOON
        self.steady = 0
        self.kept: History | None = None

    def start(self, newest: int = 0) -> StoreClock:
        """Start a server with the history that the last one kept."""
        return StoreClock(lambda: self.wall, lambda: self.steady, self.kept, newest)

    def stop(self, clock: StoreClock) -> None:
        """Stop the server, which keeps its clock."""
        self.kept = History.from_json(clock.history().to_json())

    def pass_time(self, time: int) -> None:
        """Let time pass, whether a server runs or not."""
        self.wall += time
        self.steady += time


@pytest.fixture
def machine() -> Machine:
    """A machine at noon."""
    return Machine()


def is_old(clock: StoreClock, stamp: int, age: int) -> bool:
    """Whether retention of `age` may remove a message with the stamp."""
    return not any(first <= stamp <= last for first, last in clock.younger_than(age / SECOND))


@pytest.mark.parametrize("jump", [YEAR, -YEAR, LONG_AGO, JUMP + 1, -JUMP - 1, 3, -3])
def test_setting_the_time_of_day_ages_nothing(machine: Machine, jump: int) -> None:
    clock = machine.start()
    used, stamp = clock.now(), clock.stamp()
    machine.wall += jump
    clock.stamp()
    assert clock.age(used) == 0
    machine.pass_time(10 * DAY)
    clock.stamp()
    assert clock.age(used) == 10 * DAY
    assert not is_old(clock, stamp, 10 * DAY)
    machine.wall -= jump
    clock.stamp()
    assert clock.age(used) == 10 * DAY
    assert clock.cutoff(10 * DAY / SECOND) == used
    machine.pass_time(DAY)
    assert is_old(clock, stamp, 10 * DAY)


@pytest.mark.parametrize("jump", [YEAR, -YEAR, LONG_AGO])
def test_a_message_accepted_while_the_clock_was_wrong_is_kept_as_long_as_any_other(machine: Machine, jump: int) -> None:
    clock = machine.start()
    machine.pass_time(DAY)
    machine.wall += jump
    stamp = clock.stamp()
    machine.pass_time(2 * DAY)
    machine.wall -= jump
    for days in range(30):
        clock.stamp()
        assert is_old(clock, stamp, 10 * DAY) == (days > 8)
        machine.pass_time(DAY)


def test_the_stamps_of_two_spans_count_as_the_younger(machine: Machine) -> None:
    clock = machine.start()
    earlier = clock.stamp()
    machine.pass_time(5 * DAY)
    machine.wall -= 5 * DAY
    assert clock.stamp() == earlier
    machine.pass_time(6 * DAY)
    assert not is_old(clock, earlier, 10 * DAY)
    machine.pass_time(5 * DAY)
    assert is_old(clock, earlier, 10 * DAY)


def test_a_short_time_off_counts_at_once(machine: Machine) -> None:
    clock = machine.start()
    used = clock.now()
    machine.stop(clock)
    machine.pass_time(DAY)
    clock = machine.start()
    assert clock.age(used) == DAY


def test_a_long_time_off_counts_once_the_server_is_sure(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    clock = machine.start()
    used, stamp = clock.now(), clock.stamp()
    machine.stop(clock)
    machine.pass_time(YEAR)
    clock = machine.start()
    assert "does not count until the server is sure" in caplog.text
    later = clock.now()
    assert clock.age(used) == 0
    machine.pass_time(LONGEST_DOUBT - 1)
    assert clock.age(used) == LONGEST_DOUBT - 1
    assert not is_old(clock, stamp, 10 * DAY)
    machine.pass_time(1)
    assert clock.age(used) == YEAR + LONGEST_DOUBT
    # The age of a later use is right.
    assert clock.age(later) == LONGEST_DOUBT
    assert clock.cutoff(30 * DAY / SECOND) == clock.now() - 30 * DAY
    assert is_old(clock, stamp, 10 * DAY)


def test_a_server_that_is_started_again_and_again_becomes_sure(machine: Machine) -> None:
    clock = machine.start()
    used = clock.now()
    machine.stop(clock)
    machine.pass_time(YEAR)
    for _ in range(8):
        clock = machine.start()
        machine.pass_time(DAY)
        machine.stop(clock)
    assert machine.start().age(used) == YEAR + 8 * DAY


@pytest.mark.parametrize("is_off", [True, False])
def test_a_clock_that_was_a_year_ahead_at_the_start_ages_nothing_for_good(machine: Machine, is_off: bool) -> None:
    clock = machine.start()
    used, stamp = clock.now(), clock.stamp()
    machine.stop(clock)
    machine.wall += YEAR
    machine.pass_time(60 * SECOND)
    clock = machine.start()
    ahead_used, ahead_stamp = clock.now(), clock.stamp()
    machine.pass_time(3 * DAY)
    if is_off:
        machine.stop(clock)
        machine.wall -= YEAR
        clock = machine.start()
    else:
        machine.wall -= YEAR
    clock.stamp()
    machine.pass_time(20 * DAY)
    clock.stamp()
    # The minute during which the server was off counts as part of the year, which never counts.
    assert 23 * DAY <= clock.age(used) <= 23 * DAY + 60 * SECOND
    assert clock.age(ahead_used) == 23 * DAY
    for each in (stamp, ahead_stamp):
        assert not is_old(clock, each, 24 * DAY)
        assert is_old(clock, each, 22 * DAY)


def test_a_clock_that_is_right_again_after_a_stop_tells_the_time_off(machine: Machine) -> None:
    clock = machine.start()
    used = clock.now()
    machine.wall += LONG_AGO
    clock.stamp()
    machine.stop(clock)
    machine.wall -= LONG_AGO
    machine.pass_time(3_600 * SECOND)
    clock = machine.start()
    assert clock.age(used) == 3_600 * SECOND


def test_a_start_with_the_clock_back_counts_no_time_off(machine: Machine) -> None:
    clock = machine.start()
    used = clock.now()
    machine.stop(clock)
    machine.pass_time(DAY)
    machine.wall = 0
    clock = machine.start()
    assert clock.age(used) == 0
    machine.pass_time(DAY)
    assert clock.age(used) == DAY


def test_a_store_from_before_goes_on_by_its_own_times(machine: Machine) -> None:
    clock = machine.start(newest=NOON - DAY)
    assert clock.now() == NOON
    assert clock.age(NOON - 5 * DAY) == 5 * DAY
    assert is_old(clock, NOON - 11 * DAY, 10 * DAY)
    assert not is_old(clock, NOON - 9 * DAY, 10 * DAY)


def test_a_stamp_of_the_future_in_a_store_from_before_counts_from_now_on(machine: Machine) -> None:
    clock = machine.start()
    stamp = NOON + YEAR
    machine.pass_time(9 * DAY)
    assert not is_old(clock, stamp, 10 * DAY)
    machine.pass_time(2 * DAY)
    assert is_old(clock, stamp, 10 * DAY)


def test_a_store_from_before_that_meets_a_clock_of_1970_goes_on_from_its_newest_time(machine: Machine) -> None:
    machine.wall = 60 * SECOND
    clock = machine.start(newest=NOON)
    assert clock.now() == NOON
    assert clock.age(NOON - DAY) == DAY


def test_a_clock_that_is_set_is_said_once(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    clock = machine.start()
    machine.wall += YEAR
    for _ in range(3):
        clock.stamp()
        machine.pass_time(DAY)
    # This is too little for a line in the log.
    machine.wall += 60 * SECOND
    clock.stamp()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_clock_before_1970_gives_no_stamp_below_zero(machine: Machine) -> None:
    clock = machine.start()
    machine.wall = -YEAR
    assert clock.stamp() == 0


def test_a_clock_that_is_set_very_often_keeps_few_spans_and_no_message_too_short(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_clock, "MAX_SPANS", 5)
    clock = machine.start()
    stamps = []
    for number in range(40):
        stamps.append(clock.stamp())
        machine.pass_time(3_600 * SECOND)
        machine.wall += 600 * SECOND * (-1) ** number
    assert len(clock.history().spans) <= 5
    assert not any(is_old(clock, stamp, 41 * 3_600 * SECOND) for stamp in stamps)
    machine.pass_time(2 * DAY)
    assert all(is_old(clock, stamp, 2 * DAY) for stamp in stamps)


CHANGES = st.lists(
    st.tuples(st.sampled_from(["pass", "set", "restart", "crash"]), st.integers(-2 * YEAR, 2 * YEAR)), max_size=30
)


@given(CHANGES)
def test_whatever_happens_nothing_is_older_than_the_time_that_passed(changes: list[tuple[str, int]]) -> None:
    """Times off are short here, so that all of them count. The time of day is set to anything."""
    machine = Machine()
    clock, passed, slack, marks = machine.start(), 0, JUMP, []

    def accept() -> None:
        """Accept a message, as a transaction of the store does."""
        stamp = clock.stamp()
        if clock.is_changed or machine.kept is None or clock.now() - machine.kept.now >= KEEP_INTERVAL:
            machine.stop(clock)
            clock.is_changed = False
        marks.append((clock.now(), stamp, passed))

    accept()
    for change, amount in changes:
        if change == "set":
            machine.wall += amount
        else:
            machine.pass_time(time := abs(amount) % DAY)
            passed += time
        if change == "restart":
            machine.stop(clock)
        if change in ("restart", "crash"):
            # The time of day may have been wrong by this, and no one has noticed.
            slack += JUMP
            clock = machine.start()
        accept()
    for used, stamp, when in marks:
        assert clock.age(used) <= passed - when + slack
        assert not is_old(clock, stamp, passed - when + slack)
