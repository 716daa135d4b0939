"""Blocks: from their commit on, no new message of a blocked account is stored."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import Blocked, MessageIdReused, RecipientNotFound, SessionInvalid
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import Store, StoredSession
from tests.contract.racing import race
from tests.contract.stores import (
    PLENTY,
    Home,
    append,
    delete,
    log_in,
    new_message,
    send,
    send_texts,
    sign_up,
    texts,
)

ID = b"\x07" * 16


def blocks_of(store: Store, session: StoredSession, after: str = "", limit: int = PLENTY) -> list[str]:
    """Return the names of the accounts that an account blocks."""
    names = store.blocked_usernames(session, after, limit).decode()
    return names.split("\n") if names else []


def block(store: Store, session: StoredSession, *usernames: str) -> None:
    """Block accounts."""
    for username in usernames:
        store.set_block(session, username, is_blocked=True)


def test_a_blocked_sender_stores_nothing_until_it_is_unblocked(store: Store) -> None:
    ann, bob, cy = (sign_up(store, name) for name in ("ann", "bob", "cy"))
    send_texts(store, bob, "ann", "before")
    for _ in range(2):
        block(store, ann, "bob")
    sent = [(bob, "ann", "of bob"), (cy, "ann", "of cy"), (bob, "cy", "to cy")]
    outcomes = append(store, [new_message(*each) for each in sent])
    assert isinstance(outcomes[0], Blocked)
    assert outcomes[0].recipient == "ann"
    assert [type(outcome) for outcome in outcomes[1:]] == [Receipt, Receipt]
    assert texts(store, ann) == ["before", "of cy"]
    assert texts(store, cy) == ["to cy"]
    send_texts(store, ann, "bob", "a block has one direction")
    for _ in range(2):
        store.set_block(ann, "bob", is_blocked=False)
    send_texts(store, bob, "ann", "after")
    assert texts(store, ann) == ["before", "of cy", "after"]


def test_a_repeat_of_a_message_stored_before_the_block_gets_its_first_receipt(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    first = send(store, new_message(bob, "ann", "hello", ID))
    block(store, ann, "bob")
    repeat, other, fresh = append(
        store,
        [new_message(bob, "ann", "hello", ID), new_message(bob, "ann", "other", ID), new_message(bob, "ann", "fresh")],
    )
    assert repeat == first
    assert isinstance(other, MessageIdReused)
    assert isinstance(fresh, Blocked)
    assert texts(store, ann) == ["hello"]


def test_every_session_of_a_blocked_account_is_blocked(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    block(store, log_in(store, "ann"), "bob")
    for session in (bob, log_in(store, "bob")):
        with pytest.raises(Blocked):
            send(store, new_message(session, "ann"))
    assert blocks_of(store, ann) == ["bob"]


def test_blocks_are_listed_by_their_names_in_pages(store: Store) -> None:
    ann = sign_up(store, "ann")
    names = ["bob", "b-ob", "zoe", "a_b"]
    for name in names:
        sign_up(store, name)
    assert store.blocked_usernames(ann, "", PLENTY) == b""
    block(store, ann, *names)
    assert blocks_of(store, ann) == ["a_b", "b-ob", "bob", "zoe"]
    assert blocks_of(store, ann, after="b-ob", limit=1) == ["bob"]
    assert blocks_of(store, ann, after="bobby") == ["zoe"]


def test_nobody_blocks_an_account_that_does_not_exist(store: Store) -> None:
    ann = sign_up(store, "ann")
    for is_blocked in (True, False):
        with pytest.raises(RecipientNotFound):
            store.set_block(ann, "nobody", is_blocked=is_blocked)
    assert blocks_of(store, ann) == []


def test_a_session_that_has_ended_blocks_nobody(store: Store) -> None:
    ann = sign_up(store, "ann")
    other, bob = log_in(store, "ann"), sign_up(store, "bob")
    store.end_session(other)
    with pytest.raises(SessionInvalid):
        block(store, other, "bob")
    send_texts(store, bob, "ann", "hello")
    assert blocks_of(store, ann) == []


def test_a_block_ends_when_either_account_is_deleted(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    block(store, ann, "bob")
    delete(store, bob)
    bob = sign_up(store, "bob")
    assert blocks_of(store, ann) == []
    send_texts(store, bob, "ann", "from another bob")
    block(store, ann, "bob")
    delete(store, ann)
    ann = sign_up(store, "ann")
    assert blocks_of(store, ann) == []
    send_texts(store, bob, "ann", "to another ann")
    while store.prune_deleted():
        pass
    assert texts(store, ann) == ["to another ann"]


def test_blocks_survive_reopening(home: Home) -> None:
    store = home.open()
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    block(store, ann, "bob")
    store.close()
    store = home.open()
    with pytest.raises(Blocked):
        send(store, new_message(bob, "ann"))
    assert blocks_of(store, ann) == ["bob"]
    store.close()


def test_a_message_after_the_block_is_acknowledged_is_refused_whoever_sends_meanwhile(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    is_blocked = False
    stored_after: list[object] = []

    def send_many() -> None:
        for _ in range(200):
            was_blocked = is_blocked
            [outcome] = append(store, [new_message(bob, "ann")])
            if was_blocked:
                stored_after.append(type(outcome))

    def set_blocks() -> None:
        nonlocal is_blocked
        block(store, ann, "bob")
        is_blocked = True

    race([send_many, set_blocks])
    send_many()
    assert set(stored_after) == {Blocked}
