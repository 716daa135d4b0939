"""Token buckets: how many pass, how long the others wait, and how much memory that takes."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.rates import MOST_KEYS, Rate, RateTable


class Seconds:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    """The clock of the tables."""
    return Seconds()


def test_a_bucket_holds_its_burst_and_is_filled_at_its_rate(clock: Seconds) -> None:
    table = RateTable(Rate(2, 1.0, 3), clock=clock)
    assert [table.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert table.take("b") == 0
    clock.now += 0.5
    assert [table.take("a") for _ in range(2)] == [0, 0.5]
    clock.now += 100
    assert [table.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


@given(
    rate=st.builds(Rate, st.integers(1, 50), st.sampled_from([1.0, 60.0]), st.integers(1, 20)),
    pauses=st.lists(st.floats(0, 40)),
)
def test_whoever_waits_as_long_as_was_said_passes(rate: Rate, pauses: list[float]) -> None:
    clock = Seconds()
    table = RateTable(rate, clock=clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        wait = table.take("a")
        passed += wait == 0
        if wait:
            clock.now += wait + 1e-6
            assert table.take("a") == 0
            passed += 1
    assert passed <= rate.burst + (clock.now - 1_000) * rate.count / rate.seconds + 1e-3


def test_a_batch_that_is_larger_than_the_bucket_passes_and_is_paid_back(clock: Seconds) -> None:
    table = RateTable(Rate(10, 1.0, 5), clock=clock)
    assert table.take("a", 25) == 0
    assert table.take("a", 25) == pytest.approx(2.1)
    clock.now += 2.1 + 1e-6
    assert table.take("a", 25) == 0


def test_one_that_is_refused_can_be_asked_to_wait_for_several_tokens(clock: Seconds) -> None:
    table = RateTable(Rate(10, 1.0, 50), resume=20, clock=clock)
    table.take("a", 50)
    assert table.take("a") == pytest.approx(2.0)
    # A bucket never holds more than its burst.
    small = RateTable(Rate(10, 1.0, 5), resume=20, clock=clock)
    small.take("a", 5)
    assert small.take("a") == pytest.approx(0.5)


def test_tokens_can_be_given_back(clock: Seconds) -> None:
    table = RateTable(Rate(1, 60.0, 1), clock=clock)
    table.take("a")
    table.give_back("a")
    table.give_back("another")
    assert [table.take("a"), table.take("a")] == [0, 60]


def test_a_key_that_has_used_up_its_bucket_is_not_forgotten_for_many_new_ones(clock: Seconds) -> None:
    table = RateTable(Rate(1, 60.0, 2), most=100, clock=clock)
    while table.take("guesser") == 0:
        pass
    for number in range(1_000):
        assert table.take(number) == 0
        assert len(table) <= 100
    assert table.take("guesser") > 0


def test_full_buckets_are_forgotten_first(clock: Seconds) -> None:
    table = RateTable(Rate(1, 1.0, 2), most=100, clock=clock)
    for number in range(50):
        table.take(number)
    clock.now += 0.5
    for number in range(50, 100):
        table.take(number, 2)
    clock.now += 0.6
    table.take("new")
    assert len(table) == 51
    assert all(table.take(number) for number in range(50, 100))


def test_a_million_addresses_take_no_more_memory_than_a_full_table() -> None:
    table = RateTable(Rate(1, 1e9, 1))
    for number in range(MOST_KEYS):
        table.take(f"192.0.2.{number}")
    tracemalloc.start()
    try:
        for number in range(1_000_000):
            table.take(f"2001:db8::{number}")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table) <= MOST_KEYS
    # The entries that were there before tracing began are not counted, so this is the size of a whole table.
    assert grown < MOST_KEYS * 300
