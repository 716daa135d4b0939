"""Outcomes are written in the order of arrival, by one thread at a time, and none is left."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from chatbooth_grpc.booth.ordered_sends import OrderedSends, Place
from tests.contract.racing import race

PATIENCE = 20


class Written:
    """Takes outcomes, and notes whether two threads ever wrote at once."""

    def __init__(self, *, goes_on: bool = True) -> None:
        self.outcomes: list[int] = []
        self.met = False
        self._goes_on = goes_on
        self._writing = threading.Lock()

    def __call__(self, outcome: int) -> bool:
        if not self._writing.acquire(blocking=False):
            self.met = True
            return True
        self.outcomes.append(outcome)
        self._writing.release()
        return self._goes_on


def begun(sends: OrderedSends[int]) -> Place[int]:
    place = sends.begin()
    assert place is not None
    return place


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_outcomes_are_written_in_the_order_of_arrival(order: tuple[int, ...]) -> None:
    written = Written()
    sends = OrderedSends[int](4, written)
    places = [begun(sends) for _ in order]
    for number in order:
        sends.settle(places[number], number)
        assert written.outcomes == list(range(len(written.outcomes)))
    assert written.outcomes == [0, 1, 2]
    assert len(sends) == 0


def test_the_next_outcome_is_written_at_once_and_the_rest_waits() -> None:
    written = Written()
    sends = OrderedSends[int](4, written)
    places = [begun(sends) for _ in range(3)]
    sends.settle(places[1], 1)
    assert (written.outcomes, len(sends)) == ([], 3)
    sends.settle(places[0], 0)
    assert (written.outcomes, len(sends)) == ([0, 1], 1)


def test_no_more_begin_than_may_be_in_flight() -> None:
    sends = OrderedSends[int](2, Written())
    places = [begun(sends) for _ in range(2)]
    assert not sends.has_room
    assert sends.begin() is None
    sends.settle(places[0], 0)
    assert sends.has_room
    assert sends.begin() is not None


def test_a_place_that_is_given_back_holds_up_nobody() -> None:
    written = Written()
    sends = OrderedSends[int](2, written)
    first, second = begun(sends), begun(sends)
    sends.withdraw(second)
    sends.settle(begun(sends), 1)
    sends.settle(first, 0)
    assert written.outcomes == [0, 1]


def test_the_last_needs_no_room_and_nothing_begins_after_it() -> None:
    written = Written()
    sends = OrderedSends[int](1, written)
    first = begun(sends)
    last = sends.begin(is_last=True)
    assert last is not None
    assert sends.begin() is None
    assert sends.begin(is_last=True) is None
    sends.settle(last, 1)
    sends.settle(first, 0)
    assert written.outcomes == [0, 1]
    assert not sends.has_room


def test_nothing_begins_after_the_end() -> None:
    sends = OrderedSends[int](2, Written())
    sends.close()
    assert not sends.has_room
    assert sends.begin() is None


def test_the_next_is_written_only_when_the_one_before_is_taken() -> None:
    written = Written(goes_on=False)
    sends = OrderedSends[int](4, written)
    places = [begun(sends) for _ in range(3)]
    for number, place in enumerate(places):
        sends.settle(place, number)
        assert written.outcomes == [0]
    for number in (1, 2):
        sends.write_next()
        assert written.outcomes == list(range(number + 1))
    sends.write_next()
    assert len(sends) == 0


def test_an_outcome_that_is_settled_while_another_is_written_is_written_by_that_thread() -> None:
    written: list[int] = []

    def write(outcome: int) -> bool:
        if outcome == 0:
            other = threading.Thread(target=sends.settle, args=(second, 1))
            other.start()
            other.join(PATIENCE)
            assert not other.is_alive(), "it waits for nobody"
            assert written == []
        written.append(outcome)
        return True

    sends = OrderedSends[int](4, write)
    first, second = begun(sends), begun(sends)
    sends.settle(first, 0)
    assert written == [0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_threads_that_settle_at_once_leave_nothing(seed: int) -> None:
    written = Written()
    sends = OrderedSends[int](64, written)
    places = list(enumerate([begun(sends) for _ in range(64)]))
    random.Random(seed).shuffle(places)

    def settle(part: int) -> None:
        for number, place in places[part::4]:
            sends.settle(place, number)

    race([lambda part=part: settle(part) for part in range(4)])  # type: ignore[misc]
    assert written.outcomes == list(range(64))
    assert not written.met


def test_a_thread_waits_until_few_are_in_flight() -> None:
    sends = OrderedSends[int](4, Written())
    places = [begun(sends) for _ in range(4)]
    sends.wait_until(4)
    waiting = threading.Thread(target=sends.wait_until, args=(1,))
    waiting.start()
    for number, place in enumerate(places[:3]):
        assert waiting.is_alive()
        sends.settle(place, number)
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


class SettlingTurn:
    """A turn during whose end another outcome is settled."""

    def __init__(self, settle: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._settle: Callable[[], None] | None = settle

    def acquire(self, *, blocking: bool) -> bool:
        return self._lock.acquire(blocking=blocking)

    def release(self) -> None:
        settle, self._settle = self._settle, None
        if settle is not None:
            settle()
        self._lock.release()


def test_an_outcome_that_is_settled_at_the_end_of_a_turn_is_not_left() -> None:
    written = Written()
    sends = OrderedSends[int](4, written)
    first, second = begun(sends), begun(sends)
    sends._turn = SettlingTurn(lambda: sends.settle(second, 1))  # type: ignore[assignment]
    sends.settle(first, 0)
    assert written.outcomes == [0, 1]
