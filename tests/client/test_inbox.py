"""Reading a mailbox: what is acknowledged, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.model import Delivery, Gap, GapReason
from chatbooth_grpc.client.inbox import Batches, Inbox
from tests.client.scripted import delivery, message, scripted_client

GAP = Gap(1, 4, GapReason.RETENTION)


class Mailbox:
    """A mailbox that honours cursors, in pages of `page` messages; remembers how far it was acknowledged."""

    def __init__(self, size: int, page: int = 2, cursor: int = 0) -> None:
        self.size = size
        self.page = page
        self.cursor = cursor

    def deliver(self, *, acknowledge_through: int, after: int | None, max_messages: int) -> Delivery:
        self.acknowledge(acknowledge_through)
        start = self.cursor if after is None else after
        end = min(start + min(self.page, max_messages or self.page), self.size)
        return delivery(*range(start + 1, end + 1), more=end < self.size)

    def acknowledge(self, through: int) -> None:
        assert through <= self.size
        self.cursor = max(self.cursor, through)

    def batches(self, *, after: int | None = None, max_messages: int = 0, keep: bool = False) -> Batches:
        return Batches(self.deliver, self.acknowledge, after=after, max_messages=max_messages, keep=keep)

    def inbox(self, after: int | None = None) -> Inbox:
        return Inbox(self.batches(after=after))


@given(st.integers(0, 12), st.integers(1, 5), st.integers(0, 12))
def test_all_that_waits_comes_once_in_order_and_is_acknowledged(size: int, page: int, cursor: int) -> None:
    mailbox = Mailbox(size, page, min(cursor, size))
    waiting = [*range(mailbox.cursor + 1, size + 1)]
    assert [message.sequence for message in mailbox.inbox()] == waiting
    assert mailbox.cursor == size


@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_nothing_is_acknowledged_before_the_next_is_asked_for(size: int, page: int, data: st.DataObject) -> None:
    mailbox = Mailbox(size, page)
    inbox = mailbox.inbox()
    taken = data.draw(st.integers(1, size))
    for _ in range(taken):
        next(inbox)
        assert mailbox.cursor < taken
    inbox.close()
    assert mailbox.cursor == taken - 1


@given(st.integers(0, 12), st.integers(1, 5), st.lists(st.integers(1, 6), max_size=6))
def test_a_reader_that_is_killed_and_knows_what_it_took_misses_and_repeats_nothing(
    size: int, page: int, lives: list[int]
) -> None:
    mailbox = Mailbox(size, page)
    effects: list[int] = []
    for life in [*lives, size + 1]:
        inbox = mailbox.inbox(after=effects[-1] if effects else None)
        for _, taken in zip(range(life), inbox, strict=False):
            effects.append(taken.sequence)
        assert mailbox.cursor <= len(effects)
    assert effects == [*range(1, size + 1)]


def test_a_loop_left_by_break_goes_on_where_it_was() -> None:
    inbox = Mailbox(5).inbox()
    first = next(inbox).sequence
    assert [first, *(message.sequence for message in inbox)] == [1, 2, 3, 4, 5]


def test_a_with_block_acknowledges_what_was_taken() -> None:
    mailbox = Mailbox(4, page=4)
    with mailbox.inbox() as inbox:
        for taken in inbox:
            if taken.sequence == 3:
                break
    assert mailbox.cursor == 2


def test_a_with_block_that_fails_acknowledges_nothing_more() -> None:
    mailbox = Mailbox(4, page=4)

    def fail_after_two() -> None:
        with mailbox.inbox() as inbox:
            next(inbox)
            next(inbox)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_two()
    assert mailbox.cursor == 0


def test_what_comes_again_is_dropped_by_its_sequence() -> None:
    client, _ = scripted_client(delivery(1, 2, 3, more=True), delivery(2, 3, 4), None)
    assert [message.sequence for message in client.messages()] == [1, 2, 3, 4]


def test_gaps_are_told_and_acknowledged() -> None:
    client, transport = scripted_client(delivery(gap=GAP), None)
    inbox = client.messages()
    assert [*inbox] == []
    assert inbox.gaps == [GAP]
    assert [(call.action, call.arguments[1]) for call in transport.calls] == [("deliver", 0), ("acknowledge", 4)]


def test_keep_acknowledges_nothing() -> None:
    mailbox = Mailbox(5)
    batches = mailbox.batches(keep=True)
    assert [message.sequence for batch in batches for message in batch.messages] == [1, 2, 3, 4, 5]
    batches.acknowledge()
    assert mailbox.cursor == 0


def test_the_size_of_the_next_batch_may_change() -> None:
    batches = Mailbox(9, page=5).batches(max_messages=1)
    assert len(next(batches).messages) == 1
    batches.max_messages = 3
    assert next(batches).messages == [message(2), message(3), message(4)]


def test_a_batch_that_leads_nowhere_ends_it() -> None:
    client, _ = scripted_client(delivery(1, more=True), delivery(1, more=True), None)
    assert [message.sequence for message in client.messages()] == [1]


def test_an_iterator_that_has_ended_stays_ended() -> None:
    inbox = Mailbox(1).inbox()
    assert len([*inbox]) == 1
    assert [*inbox] == []
