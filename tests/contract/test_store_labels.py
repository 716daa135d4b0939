"""The list of an account's sessions, and the end of one of them by its id."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import SessionInvalid, SessionNotFound
from chatbooth_grpc.booth.model import SessionEntry, SessionKind
from chatbooth_grpc.booth.store import Store
from tests.contract.stores import (
    PLENTY,
    Clock,
    Home,
    log_in,
    new_message,
    new_token_hash,
    send,
    sign_up,
    stored_account,
)


def test_the_sessions_of_an_account_are_listed_with_their_labels(store: Store, clock: Clock) -> None:
    made = clock.now
    first = store.create_account("ann", "hash of ann", new_token_hash(), "phone")
    sign_up(store, "bob")
    clock.advance(60)
    second = store.create_session(stored_account(store, "ann"), new_token_hash(), "desk")
    clock.advance(60)
    store.touch_session(first)
    assert store.sessions_of(second, 0, PLENTY) == [
        SessionEntry(first.session_id, "phone", SessionKind.PERSON, made, clock.now, False),
        SessionEntry(second.session_id, "desk", SessionKind.PERSON, made + 60_000_000, made + 60_000_000, True),
    ]
    assert [entry.label for entry in store.sessions_of(second, 0, 1)] == ["phone"]
    assert [entry.label for entry in store.sessions_of(second, first.session_id, 1)] == ["desk"]


def test_labels_survive_reopening(home: Home) -> None:
    store = home.open()
    ann = store.create_account("ann", "hash", new_token_hash(), "phone")
    store.close()
    store = home.open()
    assert [entry.label for entry in store.sessions_of(ann, 0, PLENTY)] == ["phone"]
    store.close()


def test_a_session_is_ended_by_its_id_at_once(store: Store) -> None:
    hints: list[int] = []
    token_hash = new_token_hash()
    ann, other = sign_up(store, "ann"), log_in(store, "ann", token_hash)
    assert store.session(token_hash) is not None
    send(store, new_message(other, "ann"))
    store.watch(lambda mailboxes, _: hints.extend(mailboxes))
    store.end_session_of(ann, other.session_id)
    assert store.session(token_hash) is None
    with pytest.raises(SessionInvalid):
        send(store, new_message(other, "ann"))
    assert ann.mailbox_id in hints
    with pytest.raises(SessionNotFound):
        store.end_session_of(ann, other.session_id)


def test_nobody_ends_the_session_of_another_account(store: Store) -> None:
    token_hash = new_token_hash()
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob", token_hash)
    for number in (bob.session_id, 0, 99, 1 << 63, (1 << 64) - 1):
        with pytest.raises(SessionNotFound):
            store.end_session_of(ann, number)
    assert store.session(token_hash) == bob


def test_a_session_that_has_ended_lists_and_ends_nothing(store: Store) -> None:
    ann, other = sign_up(store, "ann"), log_in(store, "ann")
    store.end_session(other)
    with pytest.raises(SessionInvalid):
        store.sessions_of(other, 0, PLENTY)
    with pytest.raises(SessionInvalid):
        store.end_session_of(other, ann.session_id)
