"""Deleting an account: gone at once, its name held, its messages to others kept (P6)."""

from __future__ import annotations

import dataclasses

import pytest

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    RecipientNotFound,
    SessionInvalid,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.booth.store import Store, StoredSession
from tests.contract.stores import (
    PLENTY,
    Clock,
    Home,
    append,
    delete,
    log_in,
    mailbox,
    names_of,
    new_message,
    new_token_hash,
    send,
    send_texts,
    sign_up,
    stored_account,
    texts,
)

A_MONTH = 30 * 86_400.0


def assert_powerless(store: Store, session: StoredSession) -> None:
    """Check that the store refuses every action of a session whose account was deleted."""
    assert append(store, [new_message(session, session.username)])[0].__class__ is SessionInvalid
    with pytest.raises(SessionInvalid):
        store.after(session, 0, PLENTY, PLENTY)
    with pytest.raises(SessionInvalid):
        store.acknowledge(session, 0)
    store.touch_session(session)
    store.end_session(session)


def test_deleting_ends_every_session_at_once(store: Store) -> None:
    tokens = [new_token_hash() for _ in range(3)]
    first = sign_up(store, "ann", tokens[0])
    sessions = [first, *(log_in(store, "ann", token_hash) for token_hash in tokens[1:])]
    send_texts(store, first, "ann", "a", "b")
    delete(store, first)
    assert [store.session(token_hash) for token_hash in tokens] == [None] * 3
    for session in sessions:
        assert_powerless(store, session)


def test_a_new_account_of_the_name_gets_nothing_of_the_deleted_one(store: Store) -> None:
    old = sign_up(store, "ann")
    send_texts(store, old, "ann", "secret")
    delete(store, old)
    new = sign_up(store, "ann")
    assert_powerless(store, old)
    assert mailbox(store, new) == []
    assert new.account_id != old.account_id
    assert new.mailbox_id != old.mailbox_id
    assert new.cursor == 0


def test_deleted_stays_deleted_after_reopening(home: Home) -> None:
    store = home.open()
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    send_texts(store, ann, "ann", "secret")
    delete(store, ann, A_MONTH)
    store.close()
    store = home.open()
    assert_powerless(store, ann)
    assert store.account("ann") is None
    with pytest.raises(UsernameTaken):
        sign_up(store, "ann")
    with pytest.raises(RecipientNotFound):
        send(store, new_message(bob, "ann"))
    assert names_of(store) == ["bob"]
    store.close()


def test_a_deleted_account_is_not_found(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    account = stored_account(store, "ann")
    delete(store, ann, A_MONTH)
    assert store.account("ann") is None
    assert names_of(store) == ["bob"]
    with pytest.raises(RecipientNotFound):
        send(store, new_message(bob, "ann"))
    with pytest.raises(WrongCredentials):
        store.create_session(account, new_token_hash())
    store.replace_password_hash(account, "better")
    assert store.account("ann") is None


def test_messages_from_a_deleted_account_stay(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    send_texts(store, ann, "bob", "farewell")
    kept = mailbox(store, bob)
    delete(store, ann)
    assert mailbox(store, bob) == kept
    sign_up(store, "ann")
    assert mailbox(store, bob) == kept
    assert (kept[0].sender, kept[0].sender_id) == ("ann", ann.account_id)


def test_deleting_returns_how_much_was_deleted(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    log_in(store, "bob")
    store.end_session(log_in(store, "bob"))
    send_texts(store, ann, "bob", "a", "b", "c")
    store.acknowledge(bob, 2)
    send_texts(store, bob, "ann", "not counted")
    assert store.delete_account(bob, stored_account(store, "bob"), 0) == Removal(3, 2)
    assert store.delete_account(ann, stored_account(store, "ann"), 0) == Removal(1, 1)


def test_other_accounts_are_not_touched(store: Store) -> None:
    token_hash = new_token_hash()
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob", token_hash)
    send_texts(store, bob, "bob", "a", "b")
    store.acknowledge(bob, 1)
    before = store.session(token_hash)
    delete(store, ann)
    assert store.session(token_hash) == before
    assert texts(store, bob) == ["a", "b"]


@pytest.mark.parametrize("hold", [1.5, 3_600.0, A_MONTH])
def test_a_name_is_held_for_the_given_time(store: Store, clock: Clock, hold: float) -> None:
    ann = sign_up(store, "ann")
    delete(store, ann, hold)
    for _ in range(2):
        with pytest.raises(UsernameTaken):
            sign_up(store, "ann")
    clock.advance(hold - 0.001)
    with pytest.raises(UsernameTaken):
        sign_up(store, "ann")
    assert store.account("ann") is None
    clock.advance(0.002)
    assert sign_up(store, "ann").account_id != ann.account_id


def test_a_hold_of_zero_frees_the_name_at_once(store: Store) -> None:
    ids: set[int] = set()
    for _ in range(3):
        ann = sign_up(store, "ann")
        assert ann.account_id not in ids
        ids.add(ann.account_id)
        delete(store, ann, 0)


def test_a_name_is_held_again_after_each_deletion(store: Store, clock: Clock) -> None:
    for _ in range(3):
        delete(store, sign_up(store, "ann"), A_MONTH)
        with pytest.raises(UsernameTaken):
            sign_up(store, "ann")
        clock.advance(A_MONTH + 1)


def test_the_newest_ids_are_not_reused_after_reopening(home: Home) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    delete(store, ann)
    store.close()
    store = home.open()
    bob = sign_up(store, "bob")
    assert bob.account_id > ann.account_id
    assert bob.mailbox_id != ann.mailbox_id
    assert bob.session_id != ann.session_id
    store.close()


def test_an_account_is_deleted_only_with_the_password_that_was_checked(store: Store) -> None:
    token_hash = new_token_hash()
    ann = sign_up(store, "ann", token_hash)
    send_texts(store, ann, "ann", "a")
    stale = dataclasses.replace(stored_account(store, "ann"), password_hash="stale")
    with pytest.raises(WrongPassword):
        store.delete_account(ann, stale, A_MONTH)
    assert store.session(token_hash) == ann
    assert texts(store, ann) == ["a"]
    assert names_of(store) == ["ann"]


def test_a_session_that_has_ended_deletes_nothing(store: Store) -> None:
    ann = sign_up(store, "ann")
    account = stored_account(store, "ann")
    store.end_session(ann)
    with pytest.raises(SessionInvalid):
        store.delete_account(ann, account, A_MONTH)
    assert stored_account(store, "ann") == account


def test_a_second_deletion_is_refused(store: Store) -> None:
    ann = sign_up(store, "ann")
    account = stored_account(store, "ann")
    store.delete_account(ann, account, 0)
    with pytest.raises(SessionInvalid):
        store.delete_account(ann, account, 0)
    sign_up(store, "ann")
    with pytest.raises(ChatboothError):
        store.delete_account(ann, account, 0)
    assert store.account("ann") is not None
