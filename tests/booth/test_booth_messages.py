"""The booth's actions on messages, called directly: their effects and their refusals."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import DEFAULT_BATCH, MAX_BATCH, Booth
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    CursorPastEnd,
    EmptyText,
    InvalidMessageId,
    InvalidUsername,
    MessageIdReused,
    RecipientNotFound,
    SessionInvalid,
    TextTooLong,
)
from chatbooth_grpc.booth.model import Gap, GapReason, Limits, Opening, OutgoingMessage, Receipt, Session
from chatbooth_grpc.booth.store import NewMessage
from tests.booth.acting import (
    SignUp,
    cursor,
    outgoing,
    remove_through,
    send_texts,
    texts,
)
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.contract.stores import Clock, append, rows_of

DAY = 86_400.0


# Sending


def test_a_message_is_delivered_as_it_was_sent(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    ann, ben = sign_up("ann"), sign_up("ben")
    message = outgoing("BEN", "hello\n\0 “π” 漢字 👩‍👩‍👧")
    assert booth.send(ann.token, message) == Receipt(clock.now)
    [found] = booth.deliver(ben.token).messages
    assert (found.sequence, found.sender, found.sender_id) == (1, "ann", ann.account_id)
    assert (found.message_id, found.content, found.accept_time) == (message.message_id, message.content, clock.now)


def test_a_repeated_message_is_stored_once_and_gets_the_first_receipt(
    booth: Booth, sign_up: SignUp, clock: Clock
) -> None:
    ann, ben = sign_up("ann"), sign_up("ben")
    message = outgoing("ben")
    first = booth.send(ann.token, message)
    clock.advance(29 * DAY)
    assert booth.send(ann.token, message) == first
    # An id belongs to the account, and not to the session.
    assert booth.send(booth.log_in("ann", PASSWORD).token, message) == first
    assert texts(booth, ben) == ["hello"]


def test_an_id_is_a_message_of_one_sender_to_one_recipient(booth: Booth, sign_up: SignUp, store_path: Path) -> None:
    ann, ben, zoe = sign_up("ann"), sign_up("ben"), sign_up("zoe")
    message_id = os.urandom(16)
    booth.send(ann.token, outgoing("ben", "one", message_id))
    booth.send(ann.token, outgoing("zoe", "another", message_id))
    booth.send(zoe.token, outgoing("ben", "another's", message_id))
    before = rows_of(store_path)
    with pytest.raises(MessageIdReused):
        booth.send(ann.token, outgoing("ben", "two", message_id))
    assert rows_of(store_path) == before
    assert texts(booth, ben) == ["one", "another's"]


def test_one_may_write_to_oneself(booth: Booth, sign_up: SignUp) -> None:
    ann = sign_up("ann")
    send_texts(booth, ann, "ann", "note")
    assert texts(booth, ann) == ["note"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (OutgoingMessage("nobody", os.urandom(16), b"hi"), RecipientNotFound("nobody")),
        (OutgoingMessage("", os.urandom(16), b"hi"), InvalidUsername("recipient")),
        (OutgoingMessage("b" * 33, os.urandom(16), b"hi"), InvalidUsername("recipient")),
        (OutgoingMessage("ann", bytes(16), b"hi"), InvalidMessageId()),
        (OutgoingMessage("ann", b"x" * 15, b"hi"), InvalidMessageId()),
        (OutgoingMessage("ann", os.urandom(16), b""), EmptyText()),
        (OutgoingMessage("ann", os.urandom(16), b"x" * 101), TextTooLong(101, 100)),
    ],
)
def test_sending_refuses_and_stores_nothing(
    store: InterruptedStore, clock: Clock, store_path: Path, message: OutgoingMessage, error: ChatboothError
) -> None:
    booth = Booth(store, limits=Limits(text_size=100), passwords=cheap_passwords())
    ann = booth.sign_up("ann", PASSWORD)
    before = rows_of(store_path)
    with pytest.raises(type(error)) as refusal:
        booth.send(ann.token, message)
    assert refusal.value.attributes() == error.attributes()
    assert rows_of(store_path) == before


def test_a_text_of_the_limits_size_is_sent(store: InterruptedStore, clock: Clock) -> None:
    booth = Booth(store, limits=Limits(text_size=100), passwords=cheap_passwords())
    ann = booth.sign_up("ann", PASSWORD)
    booth.send(ann.token, outgoing("ann", "é" * 50))
    assert [message.text for message in booth.deliver(ann.token).messages] == ["é" * 50]


@pytest.mark.parametrize("action", ["acknowledge", "deliver"])
def test_a_sequence_of_another_epoch_acknowledges_nothing(booth: Booth, sign_up: SignUp, action: str) -> None:
    ann = sign_up("ann")
    send_texts(booth, ann, "ann", "one", "two", "three")
    acknowledge = getattr(booth, action)
    for through in (2, 99):
        acknowledge(ann.token, through, epoch=b"another epoch 16")
        assert cursor(booth, ann) == 0
    acknowledge(ann.token, 1, epoch=ann.epoch)
    assert cursor(booth, ann) == 1
    acknowledge(ann.token, 2)
    assert cursor(booth, ann) == 2


@pytest.mark.parametrize("method", ["append_later", "acknowledge", "after"])
def test_a_session_that_ends_meanwhile_does_nothing_more(
    booth: Booth, store: InterruptedStore, sign_up: SignUp, method: str
) -> None:
    """Each action checks its session again in its transaction."""
    ann, ben = sign_up("ann"), sign_up("ben")
    send_texts(booth, ben, "ann", "for ann")

    def end_session(called: str) -> None:
        if called == method:
            store.before = lambda _: None
            booth.log_out(ann.token)

    actions: dict[str, Callable[[], object]] = {
        "append_later": partial(booth.send, ann.token, outgoing("ben")),
        "acknowledge": partial(booth.acknowledge, ann.token, 1),
        "after": partial(booth.deliver, ann.token),
    }
    store.before = end_session
    with pytest.raises(SessionInvalid):
        actions[method]()
    assert texts(booth, ben) == []
    assert texts(booth, booth.log_in("ann", PASSWORD)) == ["for ann"]


# Delivering


@pytest.fixture
def ann(booth: Booth, sign_up: SignUp) -> Session:
    """An account in whose mailbox the messages "1" to "5" wait."""
    ann = sign_up("ann")
    send_texts(booth, sign_up("ben"), "ann", *"12345")
    return ann


def test_messages_that_are_not_acknowledged_are_delivered_again(booth: Booth, ann: Session) -> None:
    for _ in range(2):
        delivery = booth.deliver(ann.token)
        assert [message.text for message in delivery.messages] == [*"12345"]
        assert [message.sequence for message in delivery.messages] == [1, 2, 3, 4, 5]
        assert delivery.opening == Opening(ann.epoch, ann.account_id, resumed_after=0, replaying=5)
        assert not delivery.more


def test_acknowledging_comes_before_reading(booth: Booth, ann: Session) -> None:
    delivery = booth.deliver(ann.token, acknowledge_through=2)
    assert [message.text for message in delivery.messages] == [*"345"]
    assert (delivery.opening.resumed_after, delivery.opening.replaying) == (2, 3)
    assert texts(booth, ann) == [*"345"]


def test_cursors_never_go_back(booth: Booth, ann: Session) -> None:
    booth.acknowledge(ann.token, 3)
    booth.acknowledge(ann.token, 3)
    booth.acknowledge(ann.token, 1)
    assert texts(booth, ann, acknowledge_through=2) == [*"45"]
    assert cursor(booth, ann) == 3


def test_reading_after_a_sequence_leaves_the_cursor(booth: Booth, ann: Session) -> None:
    assert texts(booth, ann, after=3) == [*"45"]
    assert texts(booth, ann, after=5) == []
    assert cursor(booth, ann) == 0
    booth.acknowledge(ann.token, 4)
    # A client that lost its messages starts before the cursor.
    assert texts(booth, ann, after=0) == [*"12345"]
    assert texts(booth, ann, acknowledge_through=5, after=2) == [*"345"]
    assert cursor(booth, ann) == 5


def test_each_session_has_a_cursor_of_its_own(booth: Booth, ann: Session) -> None:
    other = booth.log_in("ann", PASSWORD)
    booth.acknowledge(ann.token, 5)
    assert texts(booth, ann) == []
    assert texts(booth, other) == [*"12345"]


@pytest.mark.parametrize("beyond", [6, 2**63, 2**64 - 1])
def test_a_cursor_past_the_end_is_refused(booth: Booth, ann: Session, store_path: Path, beyond: int) -> None:
    before = rows_of(store_path)
    refused: list[Callable[[], object]] = [
        partial(booth.deliver, ann.token, acknowledge_through=beyond),
        partial(booth.deliver, ann.token, after=beyond),
        partial(booth.acknowledge, ann.token, beyond),
    ]
    for call in refused:
        with pytest.raises(CursorPastEnd) as refusal:
            call()
        assert (refusal.value.cursor, refusal.value.end) == (beyond, 5)
    assert rows_of(store_path) == before


def test_a_batch_is_cut_and_says_that_more_waits(booth: Booth, ann: Session) -> None:
    first = booth.deliver(ann.token, max_messages=2)
    assert ([message.text for message in first.messages], first.more) == ([*"12"], True)
    rest = booth.deliver(ann.token, acknowledge_through=2, max_messages=3)
    assert ([message.text for message in rest.messages], rest.more) == ([*"345"], False)


def test_batches_have_a_default_and_a_limit(booth: Booth, sign_up: SignUp, store: InterruptedStore) -> None:
    ann = sign_up("ann")
    session = booth.authenticated(ann.token)
    append(store, [NewMessage(session, outgoing("ann"), bytes(16)) for _ in range(MAX_BATCH + 1)])
    assert len(booth.deliver(ann.token).messages) == DEFAULT_BATCH == 256
    assert len(booth.deliver(ann.token, max_messages=MAX_BATCH + 1).messages) == MAX_BATCH == 1_000
    assert len(booth.deliver(ann.token, max_messages=1).messages) == 1


def test_a_batch_is_cut_at_a_mebibyte_but_holds_one_message(booth: Booth, sign_up: SignUp) -> None:
    ann = sign_up("ann")
    half = "x" * (1 << 19)
    send_texts(booth, ann, "ann", half, half, "y", "z" * (1 << 20), "end")
    sizes = []
    through = 0
    while messages := booth.deliver(ann.token, acknowledge_through=through).messages:
        sizes.append([len(message.content) for message in messages])
        through = messages[-1].sequence
    assert sizes == [[1 << 19, 1 << 19], [1], [1 << 20], [3]]


def test_messages_that_retention_removed_are_named_as_a_gap(booth: Booth, ann: Session, store_path: Path) -> None:
    remove_through(store_path, ann, 3)
    delivery = booth.deliver(ann.token)
    assert delivery.opening.gap == Gap(1, 3, GapReason.RETENTION)
    assert (delivery.opening.resumed_after, delivery.opening.replaying) == (0, 2)
    assert [message.sequence for message in delivery.messages] == [4, 5]
    assert booth.deliver(ann.token, after=2).opening.gap == Gap(3, 3, GapReason.RETENTION)
    assert booth.deliver(ann.token, after=3).opening.gap is None
    # A client can still acknowledge messages that were removed.
    booth.acknowledge(ann.token, 2)
    assert booth.deliver(ann.token).opening.gap == Gap(3, 3, GapReason.RETENTION)


def test_a_mailbox_emptied_by_retention_delivers_its_gap(booth: Booth, ann: Session, store_path: Path) -> None:
    remove_through(store_path, ann, 5)
    delivery = booth.deliver(ann.token)
    assert (delivery.messages, delivery.more) == ([], False)
    assert delivery.opening.gap == Gap(1, 5, GapReason.RETENTION)
    assert delivery.opening.replaying == 0


def test_retention_forgets_no_message_id(booth: Booth, sign_up: SignUp, store_path: Path) -> None:
    ann = sign_up("ann")
    message = outgoing("ann")
    receipt = booth.send(ann.token, message)
    remove_through(store_path, ann, 1)
    assert booth.send(ann.token, message) == receipt
    assert texts(booth, ann) == []
