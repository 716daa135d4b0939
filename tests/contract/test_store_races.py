"""Threads race for a name, a message id, a mailbox or a cursor: each has one outcome."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    CursorPastEnd,
    MessageIdReused,
    RecipientNotFound,
    SessionInvalid,
    UsernameTaken,
    WrongPassword,
)
from chatbooth_grpc.booth.model import Receipt, Removal
from chatbooth_grpc.booth.store import Store, StoredSession
from tests.contract.racing import race
from tests.contract.stores import (
    PLENTY,
    Clock,
    delete,
    is_gap_free,
    log_in,
    mailbox,
    new_message,
    new_token_hash,
    send,
    send_texts,
    sign_up,
    stored_account,
    texts,
)

RACERS = 8
ROUNDS = range(10)


def end_of(store: Store, session: StoredSession) -> int:
    """Return the last sequence of the session's mailbox."""
    return store.after(session, 0, 1, 1).last_sequence


def send_until_refused(store: Store, session: StoredSession, recipient: str) -> tuple[list[str], type[ChatboothError]]:
    """Send numbered texts one after another. Return those that were acknowledged, and the refusal."""
    acknowledged: list[str] = []
    for _ in range(10_000):
        text = f"{session.username} {len(acknowledged)}"
        try:
            send(store, new_message(session, recipient, text))
        except ChatboothError as refusal:
            return acknowledged, type(refusal)
        acknowledged.append(text)
    raise AssertionError("no send was refused")


def delete_during_sends(
    store: Store,
    deleted: StoredSession,
    recipient: StoredSession,
    senders: list[StoredSession],
) -> tuple[Removal, list[str], list[type[ChatboothError]]]:
    """Delete an account while sessions send. Return also the acknowledged texts and the refusal of each session."""
    account = stored_account(store, deleted.username)
    seen = end_of(store, recipient)

    def delete_amid() -> Removal:
        while end_of(store, recipient) < seen + 10:
            pass
        return store.delete_account(deleted, account, 0.0)

    sends = [partial(send_until_refused, store, sender, recipient.username) for sender in senders]
    removal, *outcomes = race([delete_amid, *sends])
    assert isinstance(removal, Removal)
    acknowledged = [text for own, _ in outcomes for text in own]
    return removal, acknowledged, [refusal for _, refusal in outcomes]


def test_one_name_goes_to_one_account(store: Store) -> None:
    for round_number in ROUNDS:
        name = f"name{round_number}"
        outcomes = race([partial(sign_up, store, name)] * RACERS)
        winners = [outcome for outcome in outcomes if isinstance(outcome, StoredSession)]
        losers = [outcome for outcome in outcomes if isinstance(outcome, UsernameTaken)]
        assert (len(winners), len(losers)) == (1, RACERS - 1)
        assert stored_account(store, name).account_id == winners[0].account_id


def test_one_message_id_is_one_message(store: Store, clock: Clock) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")

    def attempt(session: StoredSession, message_id: bytes) -> Receipt:
        clock.advance(1)
        return send(store, new_message(session, "bob", "tea?", message_id))

    sessions = [ann, *(log_in(store, "ann") for _ in range(RACERS - 1))]
    for round_number in ROUNDS:
        message_id = bytes([round_number + 1] * 16)
        receipts = race([partial(attempt, session, message_id) for session in sessions])
        assert all(isinstance(receipt, Receipt) for receipt in receipts)
        assert len(set(map(repr, receipts))) == 1
    assert texts(store, bob) == ["tea?"] * len(ROUNDS)
    assert is_gap_free(mailbox(store, bob))


def test_of_one_message_id_with_two_contents_the_first_is_stored(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    for round_number in ROUNDS:
        message_id = bytes([round_number + 1] * 16)
        contents = ["tea?", "coffee?"] * (RACERS // 2)
        outcomes = race([partial(send, store, new_message(ann, "bob", text, message_id)) for text in contents])
        assert len(mailbox(store, bob)) == round_number + 1
        stored = texts(store, bob)[-1]
        for text, outcome in zip(contents, outcomes, strict=True):
            assert isinstance(outcome, Receipt if text == stored else MessageIdReused)


def test_a_mailbox_deleted_during_sends_had_exactly_the_acknowledged_messages(
    store: Store,
) -> None:
    senders = [sign_up(store, f"sender{number}") for number in range(4)]
    for _ in range(5):
        bob = sign_up(store, "bob")
        removal, acknowledged, refusals = delete_during_sends(store, bob, bob, senders)
        assert refusals == [RecipientNotFound] * len(senders)
        assert removal == Removal(len(acknowledged), 1)
        with pytest.raises(SessionInvalid):
            mailbox(store, bob)
        heir = sign_up(store, "bob")
        assert mailbox(store, heir) == []
        delete(store, heir)


def test_a_sender_deleted_during_sends_leaves_exactly_its_acknowledged_messages(
    store: Store,
) -> None:
    bob = sign_up(store, "bob")
    for round_number in range(5):
        seen = end_of(store, bob)
        ann = sign_up(store, f"ann{round_number}")
        devices = [ann, log_in(store, ann.username), log_in(store, ann.username)]
        removal, acknowledged, refusals = delete_during_sends(store, ann, bob, devices)
        assert removal == Removal(0, len(devices))
        assert refusals == [SessionInvalid] * len(devices)
        stored = [message.text for message in mailbox(store, bob, seen)]
        assert Counter(stored) == Counter(acknowledged)


def test_acknowledging_in_any_order_leaves_the_furthest_cursor(store: Store) -> None:
    token_hash = new_token_hash()
    first = sign_up(store, "ann", token_hash)
    second = log_in(store, "ann")
    for round_number in ROUNDS:
        send_texts(store, first, "ann", *"abcdefgh")
        end = 8 * (round_number + 1)
        outcomes = race(
            [
                *(partial(store.acknowledge, first, end - behind) for behind in (1, 6, 3, 5)),
                *(partial(store.acknowledge, second, end - behind) for behind in (0, 7, 2)),
                partial(store.acknowledge, first, end + 1),
            ]
        )
        assert outcomes[:-1] == [None] * 7
        assert isinstance(outcomes[-1], CursorPastEnd)
        found = store.session(token_hash)
        assert found is not None
        assert store.after(found, None, 0, 0).cursor == end - 1
        assert log_in(store, "ann").cursor == end


def test_many_senders_share_one_gap_free_mailbox_and_keep_their_own_order(store: Store) -> None:
    bob = sign_up(store, "bob")
    senders = [sign_up(store, f"sender{number}") for number in range(RACERS)]

    def send_many(session: StoredSession) -> list[str]:
        sent = [f"{session.username} {number}" for number in range(40)]
        for batch in (sent[:1], sent[1:10], sent[10:11], sent[11:]):
            send_texts(store, session, "bob", *batch)
        return sent

    outcomes = race([partial(send_many, sender) for sender in senders])
    messages = mailbox(store, bob)
    assert is_gap_free(messages)
    assert len(messages) == RACERS * 40
    for sender, sent in zip(senders, outcomes, strict=True):
        received = [message for message in messages if message.sender_id == sender.account_id]
        assert [message.text for message in received] == sent


def test_a_reader_during_sends_sees_a_growing_prefix_without_holes(store: Store) -> None:
    bob = sign_up(store, "bob")
    senders = [sign_up(store, f"sender{number}") for number in range(4)]
    each = 50

    def send_all(session: StoredSession) -> int:
        for number in range(each):
            send_texts(store, session, "bob", str(number))
        return each

    def read_all() -> int:
        cursor = 0
        while cursor < each * len(senders):
            batch = store.after(bob, cursor, 7, PLENTY)
            expected = range(cursor + 1, cursor + 1 + len(batch.messages))
            assert [message.sequence for message in batch.messages] == list(expected)
            assert batch.last_sequence >= cursor + len(batch.messages)
            cursor += len(batch.messages)
        return cursor

    outcomes = race([read_all, *(partial(send_all, sender) for sender in senders)])
    assert outcomes == [each * len(senders), *[each] * len(senders)]


def test_one_password_change_wins(store: Store) -> None:
    for round_number in range(5):
        devices = [sign_up(store, f"ann{round_number}")]
        devices += [log_in(store, devices[0].username) for _ in range(RACERS - 1)]
        account = stored_account(store, devices[0].username)
        outcomes = race(
            [partial(store.change_password, device, account, f"new {number}") for number, device in enumerate(devices)]
        )
        winners = [n for n, outcome in enumerate(outcomes) if outcome == RACERS - 1]
        assert len(winners) == 1
        winner = winners.pop()
        assert stored_account(store, account.username).password_hash == f"new {winner}"
        refusals = [outcome for n, outcome in enumerate(outcomes) if n != winner]
        assert all(isinstance(refusal, SessionInvalid | WrongPassword) for refusal in refusals)
