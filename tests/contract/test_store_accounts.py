"""Accounts: names, listing, password hashes compared before they change."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

import pytest

from chatbooth_grpc.booth.errors import (
    SessionInvalid,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.store import Store, StoredAccount
from tests.contract.stores import (
    PLENTY,
    Clock,
    Home,
    log_in,
    names_of,
    new_message,
    new_token_hash,
    send,
    sign_up,
    stored_account,
)


def test_a_new_account_has_a_session_at_the_start_of_an_empty_mailbox(store: Store, clock: Clock) -> None:
    token_hash = new_token_hash()
    session = store.create_account("ann", "hash", token_hash)
    assert (session.username, session.cursor, session.used_time) == ("ann", 0, clock.now)
    assert store.session(token_hash) == session
    assert store.account("ann") == StoredAccount(session.account_id, "ann", "hash")
    batch = store.after(session, 0, PLENTY, PLENTY)
    assert (batch.messages, batch.last_sequence, batch.removed_through) == ([], 0, 0)


def test_a_name_is_given_to_one_account_only(store: Store) -> None:
    ann = sign_up(store, "ann")
    token_hash = new_token_hash()
    with pytest.raises(UsernameTaken) as refusal:
        store.create_account("ann", "another hash", token_hash)
    assert refusal.value.username == "ann"
    assert store.session(token_hash) is None
    assert stored_account(store, "ann") == StoredAccount(ann.account_id, "ann", "hash of ann")
    assert names_of(store) == ["ann"]


def test_an_account_is_found_by_its_own_name_only(store: Store) -> None:
    sign_up(store, "ann")
    assert store.account("an") is None
    assert store.account("anna") is None
    assert store.account("") is None


def test_names_sort_by_their_bytes(store: Store) -> None:
    names = ["a", "a-b", "a.b", "a0", "a_b", "aa", "z", "0", "9z"]
    for name in names:
        sign_up(store, name)
    assert names_of(store) == ["0", "9z", "a", "a-b", "a.b", "a0", "a_b", "aa", "z"]


def test_a_prefix_is_taken_literally(store: Store) -> None:
    for name in ["a_b", "axb", "a.b", "a-b", "a_bc", "ab", "b", "a_"]:
        sign_up(store, name)
    assert names_of(store, prefix="a_b") == ["a_b", "a_bc"]
    assert names_of(store, prefix="a_") == ["a_", "a_b", "a_bc"]
    assert names_of(store, prefix="a.") == ["a.b"]
    assert names_of(store, prefix="a-") == ["a-b"]
    assert names_of(store, prefix="a") == ["a-b", "a.b", "a_", "a_b", "a_bc", "ab", "axb"]
    assert names_of(store, prefix="%") == []
    assert names_of(store, prefix="c") == []


def test_a_prefix_finds_names_of_the_last_letter_and_full_length(store: Store) -> None:
    for name in ["z", "z" * 32, "y" + "z" * 31]:
        sign_up(store, name)
    assert names_of(store, prefix="z") == ["z", "z" * 32]
    assert names_of(store, prefix="z" * 32) == ["z" * 32]
    assert names_of(store, prefix="y") == ["y" + "z" * 31]


def test_pages_follow_one_another(store: Store) -> None:
    names = [*(f"user{number:02}" for number in range(10)), "visitor"]
    for name in reversed(names):
        sign_up(store, name)
    seen: list[str] = []
    while page := names_of(store, prefix="user", after=seen[-1] if seen else "", limit=3):
        assert len(page) <= 3
        seen += page
    assert seen == names[:-1]


def test_a_page_starts_after_a_name_that_need_not_exist(store: Store) -> None:
    for name in ["ann", "bob", "cat"]:
        sign_up(store, name)
    assert names_of(store, after="b") == ["bob", "cat"]
    assert names_of(store, after="bob") == ["cat"]
    assert names_of(store, after="bobby") == ["cat"]
    assert names_of(store, prefix="a", after="b") == []
    assert names_of(store, prefix="c", after="a") == ["cat"]
    assert names_of(store, limit=2) == ["ann", "bob"]
    assert names_of(store, limit=0) == []


def test_names_are_joined_by_newlines(store: Store) -> None:
    assert store.usernames("", "", PLENTY) == b""
    for name in ["bob", "ann"]:
        sign_up(store, name)
    assert store.usernames("", "", PLENTY) == b"ann\nbob"
    assert store.usernames("", "", 1) == b"ann"
    assert store.usernames("", "bob", PLENTY) == b""


def test_many_names_are_sorted_too(store: Store) -> None:
    names = sorted(hashlib.sha256(b"%d" % number).hexdigest()[:32] for number in range(300))
    for name in sorted(names, key=lambda name: name[::-1]):
        sign_up(store, name)
    assert names_of(store) == names
    assert names_of(store, after=names[9], limit=200) == names[10:210]


def test_a_better_hash_of_the_same_password_replaces_the_old(store: Store) -> None:
    session = sign_up(store, "ann")
    store.replace_password_hash(stored_account(store, "ann"), "better")
    assert stored_account(store, "ann").password_hash == "better"
    assert store.change_password(session, stored_account(store, "ann"), "new") == 0


def test_a_better_hash_does_not_undo_a_change_of_password(store: Store) -> None:
    session = sign_up(store, "ann")
    stale = stored_account(store, "ann")
    store.change_password(session, stale, "new")
    store.replace_password_hash(stale, "better hash of the old password")
    assert stored_account(store, "ann").password_hash == "new"


def test_changing_the_password_ends_the_other_sessions(store: Store) -> None:
    kept_token, other_token, strangers_token = (new_token_hash() for _ in range(3))
    kept = sign_up(store, "ann", kept_token)
    other = log_in(store, "ann", other_token)
    log_in(store, "ann")
    sign_up(store, "bob", strangers_token)
    assert store.change_password(kept, stored_account(store, "ann"), "new") == 2
    assert store.session(kept_token) == kept
    assert store.session(other_token) is None
    assert store.session(strangers_token) is not None
    send(store, new_message(kept, "ann"))
    with pytest.raises(SessionInvalid):
        send(store, new_message(other, "ann"))


def test_a_password_is_changed_only_if_the_checked_hash_is_still_the_stored_one(store: Store) -> None:
    token_hash = new_token_hash()
    session = sign_up(store, "ann")
    log_in(store, "ann", token_hash)
    stale = dataclasses.replace(stored_account(store, "ann"), password_hash="stale")
    with pytest.raises(WrongPassword):
        store.change_password(session, stale, "new")
    assert stored_account(store, "ann").password_hash == "hash of ann"
    assert store.session(token_hash) is not None


def test_a_session_that_has_ended_changes_no_password(store: Store) -> None:
    session = sign_up(store, "ann")
    account = stored_account(store, "ann")
    store.end_session(session)
    with pytest.raises(SessionInvalid):
        store.change_password(session, account, "new")
    assert stored_account(store, "ann") == account


def test_nobody_logs_in_with_a_password_that_was_changed_during_the_check(store: Store) -> None:
    session = sign_up(store, "ann")
    stale = stored_account(store, "ann")
    store.change_password(session, stale, "new")
    token_hash = new_token_hash()
    with pytest.raises(WrongCredentials):
        store.create_session(stale, token_hash)
    assert store.session(token_hash) is None


def test_opening_a_session_again_with_its_token_returns_that_session(store: Store, clock: Clock) -> None:
    ann = sign_up(store, "ann")
    account, token_hash = stored_account(store, "ann"), new_token_hash()
    first = store.create_session(account, token_hash)
    send(store, new_message(ann, "ann"))
    store.acknowledge(first, 1)
    clock.now += 60_000_000
    again = store.create_session(account, token_hash)
    assert (again.session_id, again.account_id) == (first.session_id, ann.account_id)
    found = store.session(token_hash)
    assert found is not None
    assert (found.session_id, found.cursor) == (first.session_id, 1)
    assert found.used_time > first.used_time
    store.end_session(first)
    assert store.create_session(account, token_hash).session_id != first.session_id


def test_a_token_of_another_accounts_session_opens_no_session(store: Store) -> None:
    token_hash = new_token_hash()
    ann = sign_up(store, "ann", token_hash)
    sign_up(store, "bob")
    with pytest.raises(SessionInvalid):
        store.create_session(stored_account(store, "bob"), token_hash)
    with pytest.raises(SessionInvalid):
        sign_up(store, "cy", token_hash)
    assert store.account("cy") is None
    assert store.session(token_hash) == ann


def test_accounts_survive_reopening(home: Home) -> None:
    store = home.open()
    token_hash = new_token_hash()
    ann = sign_up(store, "ann", token_hash)
    sign_up(store, "bob")
    store.change_password(ann, stored_account(store, "ann"), "new")
    store.close()
    store = home.open()
    assert names_of(store) == ["ann", "bob"]
    assert stored_account(store, "ann") == StoredAccount(ann.account_id, "ann", "new")
    assert store.session(token_hash) == ann
    store.close()


def test_the_epoch_names_one_history(home: Home) -> None:
    store = home.open()
    epoch = store.epoch
    assert len(epoch) == 16
    store.close()
    reopened = home.open()
    assert reopened.epoch == epoch
    reopened.close()


def test_two_stores_have_two_epochs(store: Store, new_home: Callable[[], Home]) -> None:
    other = new_home().open()
    assert other.epoch != store.epoch
    other.close()
