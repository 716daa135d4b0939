"""Retries: which errors are retried, how often, for how long, and which error is raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pytest

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    RecipientNotFound,
    ServerUnreachable,
    StoreFull,
    StoreUnavailable,
    TooBusy,
)
from chatbooth_grpc.client.library.retrying import LONGEST_BACKOFF, Retrying
from tests.seconds import Seconds


def raising(*errors: ChatboothError) -> Callable[[float], str]:
    """Return an attempt that fails with each error in turn, and then succeeds."""
    left = list(errors)

    def attempt(_seconds: float) -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


def always(error: ChatboothError) -> Callable[[float], NoReturn]:
    def attempt(_seconds: float) -> NoReturn:
        raise error

    return attempt


def retrying_on(clock: Seconds, jitter: float = 1.0) -> Retrying:
    return Retrying(clock=clock, sleep=clock.sleep, random=lambda: jitter)


@pytest.mark.parametrize("error", [ServerUnreachable("s"), StoreUnavailable(), DeadlineExceeded(), TooBusy("calls")])
def test_a_temporary_error_is_retried(error: ChatboothError) -> None:
    assert retrying_on(Seconds()).call(raising(error, error), timeout=10) == "done"


@pytest.mark.parametrize("error", [RecipientNotFound("bob"), StoreFull()])
def test_a_permanent_error_is_raised_at_once(error: ChatboothError) -> None:
    clock = Seconds()
    with pytest.raises(type(error)):
        retrying_on(clock).call(raising(error), timeout=10)
    assert clock.slept == []


def test_pauses_double_up_to_a_limit() -> None:
    clock = Seconds()
    with pytest.raises(ServerUnreachable):
        retrying_on(clock).call(always(ServerUnreachable("s")), timeout=10)
    assert clock.slept[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, LONGEST_BACKOFF]
    assert max(clock.slept) == LONGEST_BACKOFF


def test_a_pause_is_random_from_nothing_to_its_limit() -> None:
    clock = Seconds()
    retrying_on(clock, jitter=0.0).call(raising(*[ServerUnreachable("s")] * 3), timeout=10)
    assert clock.slept == [0, 0, 0]


def test_a_pause_is_as_long_as_the_server_asks_at_least() -> None:
    clock = Seconds()
    retrying_on(clock, jitter=0.5).call(raising(TooBusy("calls", retry_after=3.0)), timeout=10)
    assert clock.slept == [3.05]


@pytest.mark.parametrize("wait", [9.95, 1e9, float("inf"), float("nan"), -5.0])
def test_no_pause_is_longer_than_the_call(wait: float) -> None:
    clock = Seconds()
    with pytest.raises(TooBusy):
        retrying_on(clock).call(always(TooBusy("calls", retry_after=wait)), timeout=10)
    assert clock.slept == []


def test_each_attempt_gets_the_time_that_is_left() -> None:
    clock = Seconds()
    given: list[float] = []

    def attempt(seconds: float) -> NoReturn:
        given.append(seconds)
        clock.now += 4
        raise ServerUnreachable("s")

    with pytest.raises(ServerUnreachable):
        retrying_on(clock).call(attempt, timeout=10)
    assert given == pytest.approx([10, 5.9, 1.7])


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([ServerUnreachable("s"), TooBusy("calls")], ServerUnreachable),
        ([ServerUnreachable("s"), DeadlineExceeded()], ServerUnreachable),
        ([TooBusy("calls"), DeadlineExceeded()], DeadlineExceeded),
        ([TooBusy("calls"), TooBusy("calls")], TooBusy),
    ],
)
def test_an_unknown_outcome_is_never_reported_as_a_refusal(
    errors: list[ChatboothError], raised: type[ChatboothError]
) -> None:
    clock = Seconds()

    def attempt(_seconds: float) -> NoReturn:
        clock.now += 4.5
        raise errors.pop(0)

    with pytest.raises(raised):
        retrying_on(clock, jitter=0).call(attempt, timeout=6)


def test_each_failure_that_is_retried_is_reported() -> None:
    told: list[tuple[str, float]] = []
    clock = Seconds()
    retrying = Retrying(
        on_retry=lambda error, pause: told.append((error.reason, pause)),
        clock=clock,
        sleep=clock.sleep,
        random=lambda: 1.0,
    )
    retrying.call(raising(ServerUnreachable("s"), DeadlineExceeded()), timeout=10)
    assert told == [("SERVER_UNREACHABLE", 0.1), ("DEADLINE_EXCEEDED", 0.2)]
