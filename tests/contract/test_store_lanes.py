"""Lanes: once the store has failed a message of a lane, it stores none that follow there.

Each check is a function, so that stores whose lanes are broken on purpose can be shown to fail it.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, RecipientNotFound, StoreUnavailable
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import NewMessage, Outcome, Settle, Store, StoredSession
from tests.contract.stores import FAILURES, Home, append, new_message, sign_up, texts
from tests.deadlines import deadline_in

PATIENCE = 20
MANY = 20

Check = Callable[[Home, Store], None]


def in_lane(lane: Lane | None, session: StoredSession, *contents: str, recipient: str = "ann") -> list[NewMessage]:
    return [new_message(session, recipient, text)._replace(lane=lane) for text in contents]


def failure_of(store: Store, messages: Sequence[NewMessage]) -> ChatboothError:
    """Append messages, all of which must fail with one error, and return it."""
    settled: queue.SimpleQueue[Sequence[Outcome]] = queue.SimpleQueue()
    store.append_later(messages, settled.put)
    first, *others = settled.get(timeout=PATIENCE)
    assert isinstance(first, FAILURES)
    assert all(other is first for other in others)
    return first


def a_failed_lane_stores_nothing_more(home: Home, store: Store) -> None:
    ann, lane = sign_up(store, "ann"), Lane()
    assert [type(one) for one in append(store, in_lane(lane, ann, "stored"))] == [Receipt]
    with home.failing(store):
        error = failure_of(store, in_lane(lane, ann, "failed"))
    assert lane.error is error
    for _ in range(2):
        outcomes = append(store, in_lane(lane, ann, "late", "later"))
        assert [one is error for one in outcomes] == [True, True]
    assert texts(store, ann) == ["stored"]


def a_message_that_was_handed_over_before_the_failure_is_not_stored_after_it(home: Home, store: Store) -> None:
    ann, lane = sign_up(store, "ann"), Lane()
    settled: queue.SimpleQueue[Sequence[Outcome]] = queue.SimpleQueue()
    with home.failing(store):
        for number in range(MANY):
            store.append_later(in_lane(lane, ann, str(number)), settled.put)
        told = [outcome for _ in range(MANY) for outcome in settled.get(timeout=PATIENCE)]
    assert isinstance(lane.error, StoreUnavailable)
    assert [outcome is lane.error for outcome in told] == [True] * MANY
    assert texts(store, ann) == []


def the_first_error_wins(home: Home, store: Store) -> None:
    ann, lane = sign_up(store, "ann"), Lane()
    with deadline_in(0):
        first = failure_of(store, in_lane(lane, ann, "one"))
    assert isinstance(first, DeadlineExceeded)
    with home.failing(store):
        assert failure_of(store, in_lane(lane, ann, "two")) is first
    with deadline_in(0):
        assert failure_of(store, in_lane(lane, ann, "three")) is first
    assert lane.error is first
    assert append(store, in_lane(lane, ann, "four")) == [first]
    assert texts(store, ann) == []


def a_failure_is_that_of_its_lane_alone(home: Home, store: Store) -> None:
    ann, failed, sound = sign_up(store, "ann"), Lane(), Lane()
    with home.failing(store):
        error = failure_of(store, in_lane(failed, ann, "failed"))
    batch = [
        *in_lane(failed, ann, "one"),
        *in_lane(sound, ann, "two"),
        *in_lane(None, ann, "three"),
        *in_lane(failed, ann, "four"),
    ]
    outcomes = append(store, batch)
    assert [one is error for one in outcomes] == [True, False, False, True]
    assert sound.error is None
    assert texts(store, ann) == ["two", "three"]


def a_refusal_of_one_message_does_not_fail_the_lane(home: Home, store: Store) -> None:
    ann, lane = sign_up(store, "ann"), Lane()
    [refusal] = append(store, in_lane(lane, ann, "lost", recipient="nobody"))
    assert isinstance(refusal, RecipientNotFound)
    assert lane.error is None
    assert [type(one) for one in append(store, in_lane(lane, ann, "stored"))] == [Receipt]
    assert texts(store, ann) == ["stored"]


CHECKS: list[Check] = [
    a_failed_lane_stores_nothing_more,
    a_message_that_was_handed_over_before_the_failure_is_not_stored_after_it,
    the_first_error_wins,
    a_failure_is_that_of_its_lane_alone,
    a_refusal_of_one_message_does_not_fail_the_lane,
]


@pytest.mark.parametrize("check", CHECKS)
def test_a_store_keeps_lanes(home: Home, store: Store, check: Check) -> None:
    check(home, store)


# Stores whose lanes are broken on purpose


class Broken:
    """A store that appends in a way of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class IgnoringLanes(Broken):
    """It neither fails a lane nor reads its error."""

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        self._store.append_later([new._replace(lane=None) for new in messages], settle)


class LettingTheLastErrorWin(Broken):
    """It fails a lane again with each error."""

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        def settle_and_fail(outcomes: Sequence[Outcome]) -> None:
            for new, outcome in zip(messages, outcomes, strict=True):
                if new.lane is not None and isinstance(outcome, FAILURES):
                    new.lane.error = StoreUnavailable()
            settle(outcomes)

        self._store.append_later(messages, settle_and_fail)


class StoringInFailedLanes(Broken):
    """It refuses a message of a failed lane, but stores it."""

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        failed = [new for new in messages if new.lane is not None and new.lane.error is not None]
        if failed:
            self._store.append_later([new._replace(lane=None) for new in failed], lambda _: None)
        self._store.append_later(messages, settle)


class RefusingWithAnotherError(Broken):
    """It refuses the messages of a failed lane with an error that is not the lane's."""

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        def settle_otherwise(outcomes: Sequence[Outcome]) -> None:
            settle([StoreUnavailable() if isinstance(one, StoreUnavailable) else one for one in outcomes])

        self._store.append_later(messages, settle_otherwise)


class FailingForARefusal(Broken):
    """It fails a lane for a message that was refused alone."""

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        def settle_and_fail(outcomes: Sequence[Outcome]) -> None:
            for new, outcome in zip(messages, outcomes, strict=True):
                if new.lane is not None and isinstance(outcome, ChatboothError):
                    new.lane.fail(outcome)
            settle(outcomes)

        self._store.append_later(messages, settle_and_fail)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (IgnoringLanes, a_failed_lane_stores_nothing_more),
        (IgnoringLanes, a_message_that_was_handed_over_before_the_failure_is_not_stored_after_it),
        (IgnoringLanes, the_first_error_wins),
        (IgnoringLanes, a_failure_is_that_of_its_lane_alone),
        (LettingTheLastErrorWin, the_first_error_wins),
        (StoringInFailedLanes, a_failed_lane_stores_nothing_more),
        (StoringInFailedLanes, a_failure_is_that_of_its_lane_alone),
        (RefusingWithAnotherError, a_failed_lane_stores_nothing_more),
        (FailingForARefusal, a_refusal_of_one_message_does_not_fail_the_lane),
    ],
)
def test_a_store_whose_lanes_are_broken_fails(
    home: Home, store: Store, broken: Callable[[Store], Broken], check: Check
) -> None:
    with pytest.raises(AssertionError):
        check(home, cast("Store", broken(store)))
