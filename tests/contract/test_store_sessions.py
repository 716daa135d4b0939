"""Sessions and their cursors: nothing skipped, nothing repeated (P4); reading in batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from chatbooth_grpc.booth.errors import CursorPastEnd, SessionInvalid
from chatbooth_grpc.booth.store import MAX_SESSIONS, Store, StoredAccount, StoredSession
from chatbooth_grpc.booth.tokens import TokenLimits
from tests.contract.stores import (
    PLENTY,
    Clock,
    Home,
    log_in,
    new_token_hash,
    send_texts,
    sign_up,
    stored_account,
)


def cursor_of(store: Store, token_hash: bytes) -> int:
    session = store.session(token_hash)
    assert session is not None
    return store.after(session, None, 0, 0).cursor


def sequences(
    store: Store,
    session: StoredSession,
    after: int,
    max_messages: int = PLENTY,
    max_size: int = PLENTY,
) -> list[int]:
    batch = store.after(session, after, max_messages, max_size)
    return [message.sequence for message in batch.messages]


def test_a_session_is_found_by_its_token_alone(store: Store) -> None:
    first_token, second_token = new_token_hash(), new_token_hash()
    first = sign_up(store, "ann", first_token)
    second = log_in(store, "ann", second_token)
    assert store.session(first_token) == first
    assert store.session(second_token) == second
    assert first.session_id != second.session_id
    assert (first.account_id, first.mailbox_id) == (second.account_id, second.mailbox_id)
    assert store.session(new_token_hash()) is None


def test_a_session_that_has_ended_is_not_found_and_the_others_are(store: Store) -> None:
    first_token, second_token = new_token_hash(), new_token_hash()
    first = sign_up(store, "ann", first_token)
    second = log_in(store, "ann", second_token)
    store.end_session(first)
    store.end_session(first)
    assert store.session(first_token) is None
    assert store.session(second_token) == second


def test_a_log_in_too_many_ends_the_session_that_was_not_used_for_longest(store: Store, clock: Clock) -> None:
    others, tokens = new_token_hash(), [new_token_hash() for _ in range(MAX_SESSIONS)]
    sign_up(store, "bob", others)
    used = sign_up(store, "ann", tokens[0])
    for token in tokens[1:]:
        log_in(store, "ann", token)
    assert all(store.session(token) for token in tokens)
    clock.advance(1)
    store.touch_session(used)
    newest = new_token_hash()
    log_in(store, "ann", newest)
    assert [store.session(token) is None for token in tokens[:3]] == [False, True, False]
    # The session that has this token already is no other one.
    log_in(store, "ann", newest)
    assert all(store.session(token) for token in (*tokens[2:], newest, others))


def test_ids_of_ended_sessions_are_not_given_to_new_ones(store: Store) -> None:
    session = sign_up(store, "ann")
    ids = {session.session_id}
    for _ in range(3):
        store.end_session(session)
        session = log_in(store, "ann")
        assert session.session_id not in ids
        ids.add(session.session_id)


def test_touching_a_session_notes_the_time(store: Store, clock: Clock) -> None:
    token_hash, other_token = new_token_hash(), new_token_hash()
    session = sign_up(store, "ann", token_hash)
    other = log_in(store, "ann", other_token)
    clock.advance(3_600)
    store.touch_session(session)
    touched = store.session(token_hash)
    assert touched is not None
    assert touched.used_time == clock.now
    assert store.session(other_token) == other


def test_touching_does_not_revive_a_session(store: Store) -> None:
    token_hash = new_token_hash()
    session = sign_up(store, "ann", token_hash)
    store.end_session(session)
    store.touch_session(session)
    assert store.session(token_hash) is None


def test_each_session_has_its_own_cursor(store: Store) -> None:
    first_token, second_token = new_token_hash(), new_token_hash()
    first = sign_up(store, "ann", first_token)
    log_in(store, "ann", second_token)
    send_texts(store, first, "ann", "a", "b", "c")
    store.acknowledge(first, 2)
    assert cursor_of(store, first_token) == 2
    assert cursor_of(store, second_token) == 0


def test_a_cursor_never_goes_back(store: Store) -> None:
    token_hash = new_token_hash()
    session = sign_up(store, "ann", token_hash)
    send_texts(store, session, "ann", "a", "b", "c")
    for through, cursor in [(2, 2), (2, 2), (1, 2), (0, 2), (3, 3), (1, 3)]:
        store.acknowledge(session, through)
        assert cursor_of(store, token_hash) == cursor


def test_a_cursor_past_the_end_is_refused_and_moves_nothing(store: Store) -> None:
    token_hash = new_token_hash()
    session = sign_up(store, "ann", token_hash)
    send_texts(store, session, "ann", "a", "b")
    store.acknowledge(session, 1)
    with pytest.raises(CursorPastEnd) as refusal:
        store.acknowledge(session, 3)
    assert (refusal.value.cursor, refusal.value.end) == (3, 2)
    assert cursor_of(store, token_hash) == 1
    assert log_in(store, "ann").cursor == 1


def test_reading_past_the_end_is_refused(store: Store) -> None:
    session = sign_up(store, "ann")
    send_texts(store, session, "ann", "a", "b")
    assert sequences(store, session, after=2) == []
    with pytest.raises(CursorPastEnd) as refusal:
        store.after(session, 3, PLENTY, PLENTY)
    assert (refusal.value.cursor, refusal.value.end) == (3, 2)


def test_a_new_session_starts_at_the_furthest_cursor(store: Store) -> None:
    first = sign_up(store, "ann")
    second, third = log_in(store, "ann"), log_in(store, "ann")
    send_texts(store, first, "ann", "a", "b", "c", "d")
    store.acknowledge(second, 3)
    store.acknowledge(third, 2)
    assert log_in(store, "ann").cursor == 3


def test_a_new_session_starts_at_the_furthest_cursor_even_of_an_ended_session(
    store: Store,
) -> None:
    first = sign_up(store, "ann")
    second = log_in(store, "ann")
    send_texts(store, first, "ann", "a", "b", "c")
    store.acknowledge(first, 1)
    store.acknowledge(second, 3)
    store.end_session(second)
    assert log_in(store, "ann").cursor == 3
    store.end_session(first)
    assert log_in(store, "ann").cursor == 3


def test_a_new_session_starts_at_the_furthest_cursor_after_a_password_change(
    store: Store,
) -> None:
    first = sign_up(store, "ann")
    second = log_in(store, "ann")
    send_texts(store, first, "ann", "a", "b")
    store.acknowledge(second, 2)
    store.change_password(first, stored_account(store, "ann"), "new")
    assert log_in(store, "ann").cursor == 2


def test_cursors_survive_reopening(home: Home) -> None:
    store = home.open()
    token_hash = new_token_hash()
    session = sign_up(store, "ann", token_hash)
    send_texts(store, session, "ann", "a", "b", "c")
    store.acknowledge(session, 2)
    home.clock.advance(60)
    store.touch_session(session)
    store.close()
    store = home.open()
    found = store.session(token_hash)
    assert found is not None
    assert (found.cursor, found.used_time) == (2, home.clock.now)
    store.end_session(session)
    store.close()
    store = home.open()
    assert store.session(token_hash) is None
    assert log_in(store, "ann").cursor == 2
    store.close()


CALLS_FOR_A_SESSION: dict[str, Callable[[Store, StoredSession, StoredAccount], object]] = {
    "change_password": lambda store, session, account: store.change_password(session, account, "new"),
    "delete_account": lambda store, session, account: store.delete_account(session, account, 0),
    "after": lambda store, session, _: store.after(session, None, PLENTY, PLENTY),
    "acknowledge": lambda store, session, _: store.acknowledge(session, 0),
    "set_block": lambda store, session, _: store.set_block(session, "ann", is_blocked=True),
    "blocked_usernames": lambda store, session, _: store.blocked_usernames(session, "", 1),
    "sessions_of": lambda store, session, _: store.sessions_of(session, 0, 1),
    "create_token": lambda store, session, _: store.create_token(session, bytes(32), "bot", TokenLimits(True), 0),
    "end_session_of": lambda store, session, _: store.end_session_of(session, 2),
}
HARMLESS_AFTER_THE_END = {"touch_session", "end_session", "cached_messages"}


@pytest.mark.parametrize("name", CALLS_FOR_A_SESSION)
def test_a_session_that_has_ended_is_refused(store: Store, name: str) -> None:
    session = sign_up(store, "ann")
    log_in(store, "ann")
    store.end_session(session)
    with pytest.raises(SessionInvalid):
        CALLS_FOR_A_SESSION[name](store, session, stored_account(store, "ann"))
    assert store.account("ann") is not None


def test_every_call_for_a_session_is_among_these() -> None:
    methods = inspect.getmembers(Store, inspect.isfunction)
    found = {name for name, method in methods if "session" in inspect.signature(method).parameters}
    assert found == CALLS_FOR_A_SESSION.keys() | HARMLESS_AFTER_THE_END


def test_a_session_that_has_ended_acknowledges_nothing(store: Store) -> None:
    session = sign_up(store, "ann")
    send_texts(store, session, "ann", "a", "b")
    store.end_session(session)
    with pytest.raises(SessionInvalid):
        store.acknowledge(session, 2)
    assert log_in(store, "ann").cursor == 0


def test_the_error_of_a_refused_read_keeps_no_old_data_for_the_next_reader(store: Store) -> None:
    session, token_hash = sign_up(store, "ann"), new_token_hash()
    # Code that keeps the error keeps the variables of the calls that it came through.
    with pytest.raises(CursorPastEnd) as kept:
        store.after(session, 1, PLENTY, PLENTY)
    created = sign_up(store, "ben", token_hash)
    assert store.session(token_hash) == created
    assert kept.value.end == 0


def test_a_session_that_has_ended_reads_nothing(store: Store) -> None:
    session, other = sign_up(store, "ann"), log_in(store, "ann")
    send_texts(store, session, "ann", "a", "b")
    store.end_session(session)
    with pytest.raises(SessionInvalid):
        store.after(session, 0, PLENTY, PLENTY)
    assert sequences(store, other, after=0) == [1, 2]


def test_sessions_unused_for_long_are_ended(store: Store, clock: Clock) -> None:
    tokens = [new_token_hash() for _ in range(3)]
    cat = sign_up(store, "cat", tokens[2])
    for token_hash, name in zip(tokens, ("ann", "bob"), strict=False):
        sign_up(store, name, token_hash)
        clock.advance(10)
    store.touch_session(cat)
    bob = store.session(tokens[1])
    assert bob is not None
    assert store.expire_sessions(bob.used_time, PLENTY) == 1
    assert [store.session(token_hash) is None for token_hash in tokens] == [True, False, False]
    assert store.expire_sessions(clock.now, PLENTY) == 1
    assert store.session(tokens[2]) is not None
    assert store.expire_sessions(clock.now, PLENTY) == 0


def test_a_limited_number_of_sessions_ends_at_a_time_and_the_furthest_cursor_stays(store: Store, clock: Clock) -> None:
    sessions = [sign_up(store, "ann"), *(log_in(store, "ann") for _ in range(4))]
    send_texts(store, sessions[0], "ann", "a", "b")
    store.acknowledge(sessions[3], 2)
    clock.advance(1)
    assert [store.expire_sessions(clock.now, 2) for _ in range(4)] == [2, 2, 1, 0]
    for session in sessions:
        with pytest.raises(SessionInvalid):
            store.after(session, 0, PLENTY, PLENTY)
    assert log_in(store, "ann").cursor == 2


def test_a_batch_has_a_largest_number_of_messages(store: Store) -> None:
    session = sign_up(store, "ann")
    send_texts(store, session, "ann", *"abcde")
    assert sequences(store, session, after=0, max_messages=2) == [1, 2]
    assert sequences(store, session, after=2, max_messages=2) == [3, 4]
    assert sequences(store, session, after=4, max_messages=2) == [5]
    assert sequences(store, session, after=1) == [2, 3, 4, 5]
    assert sequences(store, session, after=1, max_messages=0) == []


def test_a_batch_has_a_largest_size_but_at_least_one_message(store: Store) -> None:
    session = sign_up(store, "ann")
    send_texts(store, session, "ann", "12345", "12345", "1234567890", "1")
    assert sequences(store, session, after=0, max_size=9) == [1]
    assert sequences(store, session, after=0, max_size=10) == [1, 2]
    assert sequences(store, session, after=0, max_size=19) == [1, 2]
    assert sequences(store, session, after=0, max_size=20) == [1, 2, 3]
    assert sequences(store, session, after=2, max_size=1) == [3]


def test_sizes_are_bytes_not_characters(store: Store) -> None:
    session = sign_up(store, "ann")
    send_texts(store, session, "ann", "🍵", "🍵", "🍵")
    assert sequences(store, session, after=0, max_size=8) == [1, 2]


def test_every_batch_gives_the_last_sequence_and_the_sessions_cursor(store: Store) -> None:
    session, other = sign_up(store, "ann"), log_in(store, "ann")
    send_texts(store, session, "ann", *"abc")
    store.acknowledge(session, 2)
    for after in range(4):
        batch = store.after(session, after, 1, PLENTY)
        assert (batch.last_sequence, batch.removed_through, batch.cursor) == (3, 0, 2)
        assert store.after(other, after, 0, PLENTY).cursor == 0


def test_reading_moves_no_cursor(store: Store) -> None:
    token_hash = new_token_hash()
    session = sign_up(store, "ann", token_hash)
    send_texts(store, session, "ann", *"abc")
    store.acknowledge(session, 1)
    assert sequences(store, session, after=0) == [1, 2, 3]
    assert sequences(store, session, after=2) == [3]
    assert cursor_of(store, token_hash) == 1
