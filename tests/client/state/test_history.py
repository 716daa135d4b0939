"""How a reader notices that the server's store was restored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.model import Opening
from chatbooth_grpc.client.state.history import History, Restored
from tests.client.scripted import EPOCH

OTHER_EPOCH = bytes(reversed(EPOCH))


def opening(last: int, epoch: bytes = EPOCH) -> Opening:
    """Return the opening of a delivery from a mailbox that ends at this sequence."""
    return Opening(epoch, 7, 0, last)


def test_the_first_opening_gives_the_epoch() -> None:
    history = History()
    assert history.check(opening(3)) is None
    assert history.epoch == EPOCH
    assert history.check(opening(3, OTHER_EPOCH)) == Restored(OTHER_EPOCH, 0, 3)


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_log_that_ends_before_the_last_taken_sequence_is_another_log(taken: int, last: int) -> None:
    history = History(EPOCH, taken)
    expected = Restored(EPOCH, taken, last) if last < taken else None
    assert history.check(opening(last)) == expected
    assert history.reached == (0 if expected else taken)


@given(st.integers(0, 20), st.integers(0, 20))
def test_another_epoch_is_another_history_even_if_the_log_is_long(taken: int, last: int) -> None:
    history = History(EPOCH, taken)
    assert history.check(opening(last, OTHER_EPOCH)) == Restored(OTHER_EPOCH, taken, last)
    assert (history.epoch, history.reached) == (OTHER_EPOCH, 0)


@pytest.mark.parametrize("last", [3, 30])
def test_a_refused_sequence_is_reported_even_if_the_log_has_grown_since(last: int) -> None:
    history = History(EPOCH, 9)
    history.note_past_end()
    assert history.check(opening(last)) == Restored(EPOCH, 9, last)


def test_another_history_is_reported_once() -> None:
    history = History(EPOCH, 9)
    history.note_past_end()
    assert history.check(opening(3)) is not None
    assert history.check(opening(3)) is None
    history.note_reached(3)
    assert history.check(opening(3)) is None
    assert history.check(opening(2)) is not None


def test_the_last_taken_sequence_never_goes_back_within_a_history() -> None:
    history = History(EPOCH, 9)
    history.note_reached(4)
    assert history.reached == 9
