"""A lasting state is logged when it begins and ends, and its refusals are counted."""

from __future__ import annotations

import logging

import pytest

from chatbooth_grpc.booth.lasting_state import QUIET, LastingState
from tests.seconds import Seconds


@pytest.fixture
def seconds() -> Seconds:
    """The state's clock."""
    return Seconds()


@pytest.fixture
def state(seconds: Seconds) -> LastingState:
    """A state that has not begun."""
    return LastingState(logging.getLogger("test"), "no room", "room again", now=seconds)


def _lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    names = ("cause", "refused", "seconds")
    return [
        (record.getMessage(), {name: vars(record)[name] for name in names if name in vars(record)})
        for record in caplog.records
    ]


def test_many_refusals_are_one_line_and_their_end_another(
    state: LastingState, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    state.worked()
    for _ in range(1_000):
        state.refused("full")
        seconds.now += 0.5
    assert state.lasts
    seconds.now += QUIET
    state.worked()
    state.worked()
    assert not state.lasts
    assert _lines(caplog) == [
        ("no room", {"cause": "full"}),
        ("room again", {"refused": 1_000, "seconds": 500 + QUIET}),
    ]


def test_the_cause_names_each_reason_until_the_state_ends(state: LastingState, seconds: Seconds) -> None:
    assert state.cause == ""
    for reason in ("full", "broken", "full"):
        state.refused(reason)
    assert state.cause == "broken, full"
    seconds.now += QUIET
    state.worked()
    assert state.cause == ""


def test_a_state_that_flickers_is_one_state(
    state: LastingState, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        state.refused("full")
        seconds.now += QUIET - 1
        state.worked()
    assert _lines(caplog) == [("no room", {"cause": "full"})]


def test_each_cause_is_named_once(state: LastingState, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        state.refused("full", 2)
        state.refused("broken")
    assert _lines(caplog) == [("no room", {"cause": "full"}), ("no room", {"cause": "broken"})]


def test_a_new_state_begins_with_its_own_count(
    state: LastingState, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        state.refused("full")
        seconds.now += QUIET
        state.worked()
    once = [("no room", {"cause": "full"}), ("room again", {"refused": 1, "seconds": QUIET})]
    assert _lines(caplog) == once * 2
