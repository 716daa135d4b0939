"""Reading a mailbox: what the reader acknowledges, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import CursorPastEnd
from chatbooth_grpc.booth.model import Delivery, Gap, GapReason
from chatbooth_grpc.client.library.inbox import Batches, Inbox
from chatbooth_grpc.client.state.history import Restored
from tests.client.scripted import EPOCH, delivery, message, scripted_client

OTHER_EPOCH = bytes(reversed(EPOCH))
GAP = Gap(1, 4, GapReason.RETENTION)


class Mailbox:
    """A mailbox with a cursor, in pages of `page` messages. It remembers how far it was acknowledged."""

    def __init__(self, size: int, page: int = 2, cursor: int = 0) -> None:
        self.size = size
        self.epoch = EPOCH
        self.page = page
        self.cursor = cursor

    def deliver(
        self, *, acknowledge_through: int, after: int | None, max_messages: int, epoch: bytes | None
    ) -> Delivery:
        self.acknowledge(acknowledge_through, epoch=epoch)
        start = self.cursor if after is None else after
        end = min(start + min(self.page, max_messages or self.page), self.size)
        if start > self.size:
            raise CursorPastEnd(start, self.size)
        return delivery(
            *range(start + 1, end + 1),
            more=end < self.size,
            resumed_after=start,
            replaying=self.size - start,
            epoch=self.epoch,
        )

    def acknowledge(self, through: int, *, epoch: bytes | None) -> None:
        if epoch not in (None, self.epoch):
            return
        if through > self.size:
            raise CursorPastEnd(through, self.size)
        self.cursor = max(self.cursor, through)

    def batches(self, *, after: int | None = None, max_messages: int = 0, keep: bool = False) -> Batches:
        return Batches(self.deliver, self.acknowledge, after=after, max_messages=max_messages, keep=keep)

    def inbox(self, after: int | None = None, epoch: bytes | None = None) -> Inbox:
        return Inbox(Batches(self.deliver, self.acknowledge, after=after, epoch=epoch, strict=False))

    def restore(self, size: int, cursor: int, epoch: bytes = EPOCH) -> None:
        """Restore an earlier state."""
        self.size, self.cursor, self.epoch = size, cursor, epoch


@given(st.integers(0, 12), st.integers(1, 5), st.integers(0, 12))
def test_all_waiting_messages_come_once_in_order_and_are_acknowledged(size: int, page: int, cursor: int) -> None:
    mailbox = Mailbox(size, page, min(cursor, size))
    waiting = [*range(mailbox.cursor + 1, size + 1)]
    assert [message.sequence for message in mailbox.inbox()] == waiting
    assert mailbox.cursor == size


@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_nothing_is_acknowledged_before_the_next_message_is_asked_for(
    size: int, page: int, data: st.DataObject
) -> None:
    mailbox = Mailbox(size, page)
    inbox = mailbox.inbox()
    taken = data.draw(st.integers(1, size))
    for _ in range(taken):
        next(inbox)
        assert mailbox.cursor < taken
    inbox.close()
    assert mailbox.cursor == taken - 1


@given(st.integers(0, 12), st.integers(1, 5), st.lists(st.integers(1, 6), max_size=6))
def test_a_killed_reader_that_kept_its_sequence_misses_and_repeats_nothing(
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


def test_a_loop_left_by_break_continues_where_it_was() -> None:
    inbox = Mailbox(5).inbox()
    first = next(inbox).sequence
    assert [first, *(message.sequence for message in inbox)] == [1, 2, 3, 4, 5]


def test_a_with_block_acknowledges_the_messages_that_were_taken() -> None:
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


def test_a_repeated_message_is_dropped_by_its_sequence() -> None:
    client, _ = scripted_client(delivery(1, 2, 3, more=True), delivery(2, 3, 4), None)
    assert [message.sequence for message in client.messages()] == [1, 2, 3, 4]


def test_gaps_are_reported_and_acknowledged() -> None:
    client, transport = scripted_client(delivery(gap=GAP), None)
    inbox = client.messages()
    assert [*inbox] == []
    assert inbox.gaps == [GAP]
    assert [(call.action, call.arguments[1][0]) for call in transport.calls] == [("deliver", 0), ("acknowledge", 4)]


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


def test_a_batch_that_advances_nothing_ends_the_reading() -> None:
    client, _ = scripted_client(delivery(1, more=True), delivery(1, more=True), None)
    assert [message.sequence for message in client.messages()] == [1]


def test_an_iterator_that_has_ended_stays_ended() -> None:
    inbox = Mailbox(1).inbox()
    assert len([*inbox]) == 1
    assert [*inbox] == []


@pytest.mark.parametrize("epoch", [EPOCH, OTHER_EPOCH], ids=["the same epoch", "another epoch"])
@pytest.mark.parametrize("taken", [2, 3, 4])
def test_a_restore_during_the_reading_is_reported_and_reading_starts_again(taken: int, epoch: bytes) -> None:
    mailbox = Mailbox(6, page=2)
    inbox = mailbox.inbox()
    for _ in range(taken):
        next(inbox)
    mailbox.restore(1, 0, epoch)
    rest = [message.sequence for message in inbox]
    assert rest[-1:] == [1]
    assert [(one.epoch, one.last_sequence) for one in inbox.restored] == [(epoch, 1)]
    assert mailbox.cursor == 1


@pytest.mark.parametrize("epoch", [None, EPOCH])
def test_after_a_kept_sequence_past_the_end_reading_starts_again(epoch: bytes | None) -> None:
    mailbox = Mailbox(3, cursor=1)
    inbox = mailbox.inbox(after=9, epoch=epoch)
    assert [message.sequence for message in inbox] == [2, 3]
    assert inbox.restored == [Restored(EPOCH, 9, 3)]


def test_after_a_kept_sequence_of_another_epoch_reading_starts_again() -> None:
    mailbox = Mailbox(12, cursor=1)
    inbox = mailbox.inbox(after=9, epoch=OTHER_EPOCH)
    assert [message.sequence for message in inbox] == [*range(2, 13)]
    assert inbox.restored == [Restored(EPOCH, 9, 12)]


def test_a_restore_before_the_last_acknowledgement_does_not_fail_the_reader() -> None:
    mailbox = Mailbox(3, page=4)
    with mailbox.inbox() as inbox:
        for message in inbox:
            if message.sequence == 3:
                break
        mailbox.restore(0, 0)
    assert mailbox.cursor == 0
    assert [*inbox] == []
    assert inbox.restored == [Restored(EPOCH, 3, 0)]


def test_a_first_sequence_past_the_end_is_an_error_if_it_was_asked_for() -> None:
    with pytest.raises(CursorPastEnd):
        next(Mailbox(3).batches(after=9))


def test_a_mailbox_that_always_ends_before_its_cursor_is_an_error() -> None:
    mailbox = Mailbox(3, cursor=9)
    with pytest.raises(CursorPastEnd):
        next(mailbox.inbox(after=5))


def test_the_last_message_is_not_acknowledged_in_another_epoch() -> None:
    mailbox = Mailbox(3, page=4)
    inbox = mailbox.inbox()
    assert [message.sequence for message, _ in zip(inbox, range(3), strict=False)] == [1, 2, 3]
    mailbox.restore(9, 0, OTHER_EPOCH)
    assert [*inbox] == []
    assert mailbox.cursor == 0


def test_the_opening_of_an_empty_delivery_is_kept() -> None:
    batches = Mailbox(3, cursor=3).batches()
    assert [*batches] == []
    assert batches.opening is not None
    assert (batches.opening.epoch, batches.opening.resumed_after) == (EPOCH, 3)
