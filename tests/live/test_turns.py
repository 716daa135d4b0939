"""The order in which listeners are served."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.turns import Turns
from tests.live.recording_sink import RecordingSink


def listener(mailbox_id: int) -> Listener:
    return Listener(StoredSession(1, 1, "ann", mailbox_id, 0, 0), None, RecordingSink())


def test_mailboxes_take_turns_and_a_mailboxes_listeners_keep_their_order() -> None:
    turns = Turns()
    one, two, three = [listener(1) for _ in range(3)], [listener(2) for _ in range(2)], [listener(3)]
    for each in (*one, *two, *three):
        turns.put(each)
    assert [turns.take() for _ in range(6)] == [one[0], two[0], three[0], one[1], two[1], one[2]]
    with pytest.raises(IndexError):
        turns.take()


def test_one_that_comes_back_waits_for_its_turn() -> None:
    turns = Turns()
    first, second, other = listener(1), listener(1), listener(2)
    for each in (first, second, other):
        turns.put(each)
    assert turns.take() is first
    turns.put(first)
    assert [turns.take() for _ in range(3)] == [other, second, first]
