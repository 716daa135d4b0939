"""A lane fails once, with the first error, and knows its failure from a refusal."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import RecipientNotFound, StoreFull, StoreUnavailable
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import Receipt
from tests.contract.racing import race


def test_the_first_error_wins() -> None:
    lane, first = Lane(), StoreFull()
    assert lane.error is None
    assert lane.fail(first) is first
    assert lane.fail(StoreUnavailable()) is first
    assert lane.error is first


def test_only_the_error_of_the_lane_is_its_failure() -> None:
    lane, failure = Lane(), StoreUnavailable()
    assert not lane.is_failure(None)
    lane.fail(failure)
    assert lane.is_failure(failure)
    for other in (StoreUnavailable(), RecipientNotFound("ann"), Receipt(1), None):
        assert not lane.is_failure(other)


def test_threads_that_fail_a_lane_at_once_learn_the_same_error() -> None:
    lane = Lane()
    told = race([lambda: lane.fail(StoreUnavailable())] * 16)
    assert {id(error) for error in told} == {id(lane.error)}
