"""The cache of the newest messages: all that follow a sequence, or none."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.store import tails
from chatbooth_grpc.store.tails import Tails
from tests.contract.stores import SQLiteHome, append, mailbox, new_message, send_texts, sign_up


def messages(first: int, last: int, size: int = 1) -> list[Message]:
    return [Message(number, "ann", 1, b"i" * 16, 0, b"x" * size) for number in range(first, last + 1)]


def sequences(kept: Tails, after: int, mailbox_id: int = 1) -> list[int]:
    return [message.sequence for message in kept.after(mailbox_id, after)]


def test_the_messages_after_a_sequence_are_returned_whole_or_not_at_all() -> None:
    kept = Tails()
    kept.remember({1: messages(5, 8), 2: messages(1, 1)})
    assert [sequences(kept, after) for after in (3, 4, 6, 8, 99)] == [[], [5, 6, 7, 8], [7, 8], [], []]
    assert sequences(kept, 0, 2) == [1]
    assert sequences(kept, 0, 3) == []
    kept.remember({1: messages(9, 9)})
    assert [sequences(kept, after) for after in (7, 8)] == [[], [9]]


@pytest.mark.parametrize("grown", [messages(2, 2 + tails.MAX_MESSAGES), messages(2, 3, tails.MAX_SIZE)])
def test_a_long_tail_is_left_to_the_database_and_hides_no_hole(grown: list[Message]) -> None:
    kept = Tails()
    kept.remember({1: messages(1, 1)})
    kept.remember({1: grown})
    assert [sequences(kept, after) for after in (0, 1)] == [[], []]


def test_only_so_many_mailboxes_are_kept_the_newest() -> None:
    kept = Tails()
    for number in range(tails.MAX_MAILBOXES + 10):
        kept.remember({number: messages(1, 1)})
    assert [bool(kept.after(number, 0)) for number in (0, 9, 10, number)] == [False, False, True, True]


def test_after_a_change_nothing_is_cached_until_the_mailbox_has_grown_twice() -> None:
    kept = Tails()
    kept.remember({1: messages(1, 1), 2: messages(1, 1)})
    kept.remember({}, [1, 3])
    assert [sequences(kept, 0, mailbox_id) for mailbox_id in (1, 2, 3)] == [[], [1], []]
    kept.remember({1: messages(2, 2), 3: messages(1, 1)})
    assert [sequences(kept, 1), sequences(kept, 0, 3)] == [[], []]
    kept.remember({1: messages(3, 3), 3: messages(2, 2)})
    assert [sequences(kept, 1), sequences(kept, 2), sequences(kept, 1, 3)] == [[], [3], [2]]


def test_a_mailbox_that_one_commit_changed_and_grew_is_not_cached() -> None:
    kept = Tails()
    kept.remember({1: messages(1, 1)}, [1])
    assert sequences(kept, 0) == []
    kept.remember({1: messages(2, 2)})
    assert [sequences(kept, 0), sequences(kept, 1)] == [[], [2]]


def test_a_store_caches_committed_messages_and_not_failed_ones(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "one")
        assert [*store.cached_messages(ann, 0)] == mailbox(store, ann)
        append(store, [new_message(ann, "nobody", "refused")])
        assert [*store.cached_messages(ann, 1)] == []
