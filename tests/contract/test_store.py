"""Appending: each message once (P2), numbered without gaps in commit order (P3)."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import MessageIdReused, RecipientNotFound, SessionInvalid
from chatbooth_grpc.booth.model import Message, Receipt
from chatbooth_grpc.booth.store import NewMessage, Store
from tests.contract.stores import (
    Clock,
    Home,
    append,
    delete,
    is_gap_free,
    log_in,
    mailbox,
    new_message,
    send,
    send_texts,
    sign_up,
    texts,
)

MESSAGE_ID = bytes(range(16))
A_DECADE = 10 * 365 * 86_400.0


def test_a_message_arrives_as_it_was_sent(store: Store, clock: Clock) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    receipt = send(store, new_message(ann, "bob", "tea?", MESSAGE_ID))
    assert receipt == Receipt(clock.now)
    expected = Message(1, "ann", ann.account_id, MESSAGE_ID, clock.now, b"tea?")
    assert mailbox(store, bob) == [expected]
    assert mailbox(store, ann) == []


def test_content_is_kept_to_the_byte(store: Store) -> None:
    ann = sign_up(store, "ann")
    sent = ["\0", "a\r\n\tb\x1b[2J", "naïve 🍵", "x" * (1 << 20)]
    send_texts(store, ann, "ann", *sent)
    assert texts(store, ann) == sent


def test_appending_nothing_does_nothing(store: Store) -> None:
    assert append(store, []) == []


def test_a_retry_gets_the_first_receipt_however_late_it_comes(store: Store, clock: Clock) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    message = new_message(ann, "bob", "tea?")
    first = send(store, message)
    for _ in range(3):
        clock.advance(A_DECADE)
        send_texts(store, ann, "bob", "more")
        assert send(store, message) == first
    assert texts(store, bob) == ["tea?", "more", "more", "more"]


def test_a_retry_from_another_session_of_the_sender_is_the_same_message(store: Store, clock: Clock) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    first = send(store, new_message(ann, "bob", "tea?", MESSAGE_ID))
    clock.advance(1)
    assert send(store, new_message(log_in(store, "ann"), "bob", "tea?", MESSAGE_ID)) == first
    assert texts(store, bob) == ["tea?"]


def test_a_retry_after_reopening_gets_the_first_receipt(home: Home) -> None:
    store = home.open()
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    message = new_message(ann, "bob", "tea?")
    first = send(store, message)
    store.close()
    home.clock.advance(A_DECADE)
    store = home.open()
    assert send(store, message) == first
    assert texts(store, bob) == ["tea?"]
    store.close()


def test_a_retry_inside_one_append_is_one_message(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    message = new_message(ann, "bob", "tea?")
    first, second = append(store, [message, message])
    assert isinstance(first, Receipt)
    assert first == second
    assert texts(store, bob) == ["tea?"]


def test_other_content_under_a_used_id_is_refused_and_not_stored(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    first = send(store, new_message(ann, "bob", "tea?", MESSAGE_ID))
    with pytest.raises(MessageIdReused):
        send(store, new_message(ann, "bob", "coffee?", MESSAGE_ID))
    assert texts(store, bob) == ["tea?"]
    assert send(store, new_message(ann, "bob", "tea?", MESSAGE_ID)) == first
    send_texts(store, ann, "bob", "next")
    assert is_gap_free(mailbox(store, bob))


def test_one_id_to_two_recipients_is_two_messages(store: Store) -> None:
    ann, bob, cat = (sign_up(store, name) for name in ("ann", "bob", "cat"))
    send(store, new_message(ann, "bob", "to bob", MESSAGE_ID))
    send(store, new_message(ann, "cat", "to cat", MESSAGE_ID))
    assert texts(store, bob) == ["to bob"]
    assert texts(store, cat) == ["to cat"]


def test_one_id_from_two_senders_is_two_messages(store: Store) -> None:
    ann, bob, cat = (sign_up(store, name) for name in ("ann", "bob", "cat"))
    send(store, new_message(ann, "cat", "from ann", MESSAGE_ID))
    send(store, new_message(bob, "cat", "from bob", MESSAGE_ID))
    assert texts(store, cat) == ["from ann", "from bob"]


def test_a_retry_after_the_recipient_was_deleted_is_refused(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    message = new_message(ann, "bob", "tea?")
    send(store, message)
    delete(store, bob)
    with pytest.raises(RecipientNotFound) as refusal:
        send(store, message)
    assert refusal.value.recipient == "bob"


def test_a_new_account_under_a_freed_name_has_an_empty_mailbox(store: Store, clock: Clock) -> None:
    ann, old_bob = sign_up(store, "ann"), sign_up(store, "bob")
    message = new_message(ann, "bob", "tea?")
    send(store, message)
    delete(store, old_bob)
    new_bob = sign_up(store, "bob")
    assert mailbox(store, new_bob) == []
    clock.advance(1)
    assert send(store, message) == Receipt(clock.now), "the id is unused in the new mailbox"
    assert is_gap_free(mailbox(store, new_bob))
    assert texts(store, new_bob) == ["tea?"]


def test_a_new_account_under_a_freed_name_does_not_inherit_the_old_ones_ids(store: Store) -> None:
    old_ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    send(store, new_message(old_ann, "bob", "from the old", MESSAGE_ID))
    delete(store, old_ann)
    new_ann = sign_up(store, "ann")
    send(store, new_message(new_ann, "bob", "from the new", MESSAGE_ID))
    first, second = mailbox(store, bob)
    assert (first.sender, first.sender_id) == ("ann", old_ann.account_id)
    assert (second.sender, second.sender_id) == ("ann", new_ann.account_id)
    assert old_ann.account_id != new_ann.account_id


def test_each_mailbox_has_its_own_counter(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    for number in range(10):
        send_texts(store, ann, "ann" if number % 3 else "bob", str(number))
    assert is_gap_free(mailbox(store, ann))
    assert is_gap_free(mailbox(store, bob))
    assert texts(store, bob) == ["0", "3", "6", "9"]


def test_the_counter_survives_reopening(home: Home) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    for number in range(3):
        send_texts(store, ann, "ann", f"{number}a", f"{number}b")
        store.close()
        store = home.open()
    assert is_gap_free(mailbox(store, ann))
    assert texts(store, ann) == ["0a", "0b", "1a", "1b", "2a", "2b"]
    store.close()


def test_one_bad_message_fails_alone_and_in_its_place(store: Store) -> None:
    ann, bob, cat = (sign_up(store, name) for name in ("ann", "bob", "cat"))
    store.end_session(cat)
    send(store, new_message(ann, "bob", "taken", MESSAGE_ID))
    outcomes = append(
        store,
        [
            new_message(ann, "bob", "one"),
            new_message(ann, "nobody", "two"),
            new_message(ann, "bob", "three", MESSAGE_ID),
            new_message(cat, "bob", "four"),
            new_message(ann, "ann", "five"),
            new_message(ann, "bob", "six"),
        ],
    )
    assert [type(outcome) for outcome in outcomes] == [
        Receipt,
        RecipientNotFound,
        MessageIdReused,
        SessionInvalid,
        Receipt,
        Receipt,
    ]
    assert texts(store, bob) == ["taken", "one", "six"]
    assert is_gap_free(mailbox(store, bob))
    assert texts(store, ann) == ["five"]


def test_a_long_batch_with_repeats_refusals_and_reuses_in_it_has_an_outcome_for_each(store: Store) -> None:
    """However a store appends many messages at once, each has the outcome that it would have alone."""
    ann, ben = sign_up(store, "ann"), sign_up(store, "ben")
    first = [new_message(ann, "ben", f"first {number}") for number in range(100)]
    batch: list[NewMessage] = []
    for number, message in enumerate(first):
        batch.append(message)
        if number % 7 == 3:
            # This repeats a message of the same batch.
            batch.append(first[number // 2])
        if number % 11 == 5:
            batch.append(new_message(ann, "ben", "another", first[number].outgoing.message_id))
        if number % 13 == 7:
            batch.append(new_message(ben, "nobody", "lost"))
        if number % 17 == 9:
            batch.append(new_message(ben, "ann", f"back {number}"))
    outcomes = append(store, batch)
    expected: list[type] = []
    for number in range(100):
        expected.append(Receipt)
        expected += [Receipt] * (number % 7 == 3) + [MessageIdReused] * (number % 11 == 5)
        expected += [RecipientNotFound] * (number % 13 == 7) + [Receipt] * (number % 17 == 9)
    assert [type(outcome) for outcome in outcomes] == expected
    assert texts(store, ben) == [f"first {number}" for number in range(100)]
    assert texts(store, ann) == [f"back {number}" for number in range(9, 100, 17)]
    assert is_gap_free(mailbox(store, ben))
    assert is_gap_free(mailbox(store, ann))
    assert {type(outcome) for outcome in append(store, first)} == {Receipt}
    assert len(mailbox(store, ben)) == 100


def test_a_refused_message_may_be_sent_again_under_its_id(store: Store) -> None:
    ann = sign_up(store, "ann")
    message = new_message(ann, "bob", "tea?")
    with pytest.raises(RecipientNotFound):
        send(store, message)
    bob = sign_up(store, "bob")
    send(store, message)
    assert texts(store, bob) == ["tea?"]


def test_a_session_that_has_ended_sends_nothing(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    message = new_message(ann, "bob", "tea?")
    send(store, message)
    store.end_session(ann)
    with pytest.raises(SessionInvalid):
        send(store, new_message(ann, "bob", "late"))
    with pytest.raises(SessionInvalid):
        send(store, message)
    assert texts(store, bob) == ["tea?"]
