"""The opening of a delivery: where it starts, and which messages are missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.model import GapReason
from chatbooth_grpc.booth.resuming import gap, opening
from chatbooth_grpc.booth.store import Batch, StoredSession

EPOCH = bytes(range(16))


@given(st.data(), st.integers(0, 50))
def test_an_opening_accounts_for_every_sequence_after_its_start(data: st.DataObject, last: int) -> None:
    removed = data.draw(st.integers(0, last), "removed through")
    start = data.draw(st.integers(0, last), "start")
    batch = Batch([], last, removed, cursor=0)
    opened = opening(EPOCH, StoredSession(1, 7, "ann", 3, 0, 0), start, batch)
    assert (opened.epoch, opened.account_id, opened.resumed_after) == (EPOCH, 7, start)
    assert opened.gap == gap(start, batch)
    missing = range(opened.gap.first, opened.gap.last + 1) if opened.gap else range(0)
    assert [*missing] == [sequence for sequence in range(start + 1, last + 1) if sequence <= removed]
    assert opened.replaying == last - start - len(missing)
    assert opened.last_sequence == last


def test_a_gap_says_why() -> None:
    found = gap(2, Batch([], 9, 5, cursor=0))
    assert found is not None
    assert (found.first, found.last, found.reason) == (3, 5, GapReason.RETENTION)
    assert gap(5, Batch([], 9, 5, cursor=0)) is None
