"""Retention removes only old, acknowledged messages, the oldest first, in small steps."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import pytest

from chatbooth_grpc.booth.errors import CursorPastEnd, MessageIdReused
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.booth.store import RetentionStep, Store, StoredSession
from tests.contract.racing import race
from tests.contract.stores import (
    PLENTY,
    Clock,
    Home,
    delete,
    log_in,
    mailbox,
    new_message,
    retain,
    retention_steps,
    send,
    send_texts,
    sign_up,
    stored_account,
    texts,
)

MESSAGE_ID = bytes(range(16))
MOST_MESSAGES = 500
MOST_BYTES = 4 << 20
REASONS = pytest.mark.parametrize("old", [True, False], ids=["old", "acknowledged by all"])
"""Both retentions: by age, and, with nothing kept, after every live session has acknowledged a message."""


def bound(clock: Clock, old: bool) -> int | None:
    """Return the bound for which every message accepted so far is old. None means that age does not matter."""
    return clock.now + 1 if old else None


def removed_through(store: Store, session: StoredSession) -> int:
    """Return the last removed sequence of a mailbox. The messages that are left must begin right after it."""
    batch = store.after(session, 0, PLENTY, PLENTY)
    sequences = [message.sequence for message in batch.messages]
    assert sequences == list(range(batch.removed_through + 1, batch.last_sequence + 1))
    return batch.removed_through


def test_a_message_is_removed_once_it_is_older(store: Store, clock: Clock) -> None:
    ann = sign_up(store, "ann")
    accepted = []
    for text in "abc":
        accepted.append(clock.now)
        send_texts(store, ann, "ann", text)
        clock.advance(10)
    store.acknowledge(ann, 3)
    assert retain(store, accepted[0]) == 0
    assert retain(store, accepted[1]) == 1
    assert texts(store, ann) == ["b", "c"]
    assert retain(store, accepted[1]) == 0
    assert retain(store, accepted[2] + 1) == 2
    assert mailbox(store, ann) == []


@REASONS
def test_no_message_is_removed_before_it_was_acknowledged(store: Store, clock: Clock, old: bool) -> None:
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", "a", "b", "c")
    clock.advance(10 * 365 * 86_400)
    assert retain(store, bound(clock, old)) == 0
    assert texts(store, ann) == ["a", "b", "c"]
    store.acknowledge(ann, 2)
    assert retain(store, bound(clock, old)) == 2
    assert texts(store, ann) == ["c"]
    store.end_session(ann)
    assert retain(store, bound(clock, old)) == 0
    assert texts(store, log_in(store, "ann")) == ["c"]


def test_a_message_that_one_session_has_acknowledged_is_removed_by_its_age(store: Store, clock: Clock) -> None:
    ann = sign_up(store, "ann")
    slow = log_in(store, "ann")
    send_texts(store, ann, "ann", "a", "b", "c")
    store.acknowledge(ann, 2)
    assert retain(store, bound(clock, old=True)) == 2
    batch = store.after(slow, 0, PLENTY, PLENTY)
    assert [message.text for message in batch.messages] == ["c"]
    assert (batch.removed_through, batch.cursor) == (2, 0)


def test_with_a_retention_of_zero_a_message_waits_for_every_live_session(store: Store) -> None:
    ann = sign_up(store, "ann")
    slow, slower = log_in(store, "ann"), log_in(store, "ann")
    send_texts(store, ann, "ann", *"abcde")
    store.acknowledge(ann, 4)
    assert retain(store, None) == 0
    store.acknowledge(slow, 3)
    assert retain(store, None) == 0
    store.acknowledge(slower, 1)
    assert retain(store, None) == 1
    # It starts at the cursor of the account, so it keeps no message.
    log_in(store, "ann")
    store.end_session(slower)
    assert retain(store, None) == 2
    assert texts(store, ann) == ["d", "e"]


@pytest.mark.parametrize("ending", ["log out", "password", "expiry"])
def test_with_a_retention_of_zero_a_message_does_not_wait_for_ended_sessions(
    store: Store, clock: Clock, ending: str
) -> None:
    slow = sign_up(store, "ann")
    clock.advance(10)
    ann = log_in(store, "ann")
    send_texts(store, ann, "ann", *"abc")
    store.acknowledge(ann, 2)
    assert retain(store, None) == 0
    if ending == "log out":
        store.end_session(slow)
    elif ending == "password":
        store.change_password(ann, stored_account(store, "ann"), "new")
    else:
        assert store.expire_sessions(clock.now, 10) == 1
    assert retain(store, None) == 2
    assert removed_through(store, ann) == 2


def test_without_live_sessions_the_messages_that_any_session_acknowledged_are_removed(store: Store) -> None:
    ann, other = sign_up(store, "ann"), log_in(store, "ann")
    send_texts(store, ann, "ann", *"abc")
    store.acknowledge(other, 2)
    store.end_session(ann)
    store.end_session(other)
    assert retain(store, None) == 2
    assert texts(store, log_in(store, "ann")) == ["c"]


@pytest.mark.parametrize("through", [1, 2, 3])
def test_sequences_continue_from_the_counter_after_messages_were_removed(home: Home, through: int) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *"abc")
    store.acknowledge(ann, through)
    assert retain(store, None) == through
    store.close()
    store = home.open()
    send_texts(store, ann, "ann", "d")
    assert [message.sequence for message in mailbox(store, ann)] == list(range(through + 1, 5))
    assert removed_through(store, ann) == through
    store.close()


def test_a_reader_learns_what_was_removed(store: Store) -> None:
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *"abcd")
    store.acknowledge(ann, 2)
    retain(store, None)
    for after, expected in [(0, [3, 4]), (1, [3, 4]), (3, [4]), (4, [])]:
        batch = store.after(ann, after, PLENTY, PLENTY)
        assert [message.sequence for message in batch.messages] == expected
        assert (batch.last_sequence, batch.removed_through) == (4, 2)


def test_an_empty_mailbox_keeps_its_last_sequence(store: Store) -> None:
    ann = sign_up(store, "ann")
    slow = log_in(store, "ann")
    send_texts(store, ann, "ann", *"abc")
    store.acknowledge(ann, 3)
    retain(store, PLENTY * PLENTY)
    batch = store.after(slow, 0, PLENTY, PLENTY)
    assert (batch.messages, batch.last_sequence, batch.removed_through) == ([], 3, 3)
    with pytest.raises(CursorPastEnd):
        store.after(slow, 4, PLENTY, PLENTY)
    # A client can still acknowledge messages that were removed.
    store.acknowledge(slow, 1)
    assert store.after(slow, 0, 0, 0).cursor == 1
    assert log_in(store, "ann").cursor == 3


def test_a_retry_does_not_store_a_removed_message_again(store: Store, clock: Clock) -> None:
    ann = sign_up(store, "ann")
    first = send(store, new_message(ann, "ann", "tea?", MESSAGE_ID))
    store.acknowledge(ann, 1)
    clock.advance(10 * 365 * 86_400)
    assert retain(store, clock.now) == 1
    assert send(store, new_message(ann, "ann", "tea?", MESSAGE_ID)) == first
    with pytest.raises(MessageIdReused):
        send(store, new_message(ann, "ann", "coffee?", MESSAGE_ID))
    assert mailbox(store, ann) == []
    assert store.after(ann, 1, 0, 0).last_sequence == 1


def test_deleting_counts_only_the_messages_that_were_left(store: Store) -> None:
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *"abcde")
    store.acknowledge(ann, 2)
    retain(store, None)
    assert store.delete_account(ann, stored_account(store, "ann"), 0) == Removal(3, 1)


@REASONS
def test_a_step_is_small_and_the_steps_together_are_everything(store: Store, clock: Clock, old: bool) -> None:
    names = ["ann", "bob", "cat", "dan"]
    sessions = {name: sign_up(store, name) for name in names}
    for name, count in zip(names, [MOST_MESSAGES - 1, 3, MOST_MESSAGES * 2, 1], strict=True):
        send_texts(store, sessions[name], name, *["small"] * count)
        store.acknowledge(sessions[name], count)
    steps = [step.removed for step in retention_steps(store, bound(clock, old))]
    assert sum(steps) == MOST_MESSAGES * 3 + 3
    assert max(steps) <= MOST_MESSAGES
    assert all(mailbox(store, session) == [] for session in sessions.values())


@REASONS
def test_a_step_is_small_in_bytes_too(store: Store, clock: Clock, old: bool) -> None:
    sizes = [1 << 20, 2 << 20, 2 << 20, 6 << 20, 1, 1 << 20, 1]
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    for size in sizes:
        send_texts(store, ann, "ann", "x" * size)
        send_texts(store, ann, "bob", "x" * size)
    store.acknowledge(ann, len(sizes))
    store.acknowledge(bob, len(sizes))
    left = [*sizes, *sizes]
    for step in retention_steps(store, bound(clock, old)):
        gone, left = left[: step.removed], left[step.removed :]
        assert sum(gone[:-1]) < MOST_BYTES
    assert left == []


def test_the_next_walk_finishes_one_that_was_broken_off(home: Home) -> None:
    store = home.open()
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    count = MOST_MESSAGES + 7
    for session in (ann, bob):
        send_texts(store, session, session.username, *["x"] * count)
        store.acknowledge(session, count)
    step = store.remove_old(None)
    assert 0 < step.removed <= MOST_MESSAGES
    assert removed_through(store, ann) == step.removed
    store.close()
    store = home.open()
    assert retain(store, None) == 2 * count - step.removed
    assert [removed_through(store, session) for session in (ann, bob)] == [count, count]
    store.close()


def test_a_walk_passes_over_a_store_in_which_no_message_may_be_removed(store: Store, clock: Clock) -> None:
    assert store.remove_old(None) == RetentionStep(0, None)
    for name in ("ann", "bob"):
        session = sign_up(store, name)
        send_texts(store, session, name, "young")
        store.acknowledge(session, 1)
    assert retain(store, clock.now) == 0


def test_the_mailbox_of_a_deleted_account_does_not_stop_a_walk(store: Store, clock: Clock) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    for session in (ann, bob):
        send_texts(store, session, session.username, "a", "b")
        store.acknowledge(session, 1)
    delete(store, ann)
    retain(store, bound(clock, old=True))
    assert texts(store, bob) == ["b"]


def test_the_rows_of_a_deleted_account_can_be_pruned_to_the_end(store: Store) -> None:
    assert store.prune_deleted() is False
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    send_texts(store, bob, "ann", *["x"] * (MOST_MESSAGES + 1))
    send_texts(store, ann, "bob", "kept")
    delete(store, ann)
    while store.prune_deleted():
        pass
    assert texts(store, bob) == ["kept"]


def test_removed_messages_wake_no_listener(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    send_texts(store, ann, "ann", "a")
    store.acknowledge(ann, 1)
    store.touch_session(ann)
    hints: list[Collection[int]] = []
    store.watch(lambda mailbox_ids, _is_idle: hints.append(mailbox_ids))
    assert retain(store, None) == 1
    # The hint of the first send follows any hint that retention gave, and the hint of the second follows that.
    for _ in range(2):
        send_texts(store, ann, "bob", "b")
    assert [set(hint) for hint in hints[:1]] == [{bob.mailbox_id}]


def test_with_a_retention_of_zero_a_device_misses_nothing_in_any_race(store: Store) -> None:
    """Two devices read and acknowledge at their own pace. Neither ever meets a gap."""
    total, batch_sizes = 300, {"quick": 7, "slow": 2}
    ann = sign_up(store, "ann")
    devices = {"quick": log_in(store, "ann"), "slow": log_in(store, "ann")}
    store.end_session(ann)
    bob = sign_up(store, "bob")

    def send_all() -> None:
        for number in range(total):
            send_texts(store, bob, "ann", str(number))

    def read_all(device: str) -> list[str]:
        shown: list[str] = []
        while len(shown) < total:
            batch = store.after(devices[device], len(shown), batch_sizes[device], PLENTY)
            assert batch.removed_through <= batch.cursor
            shown += [message.text for message in batch.messages]
            store.acknowledge(devices[device], len(shown))
        return shown

    def remove_all() -> None:
        while store.after(devices["slow"], 0, 0, 0).removed_through < total:
            retain(store, None)

    _, _, *shown = race([send_all, remove_all, *(partial(read_all, device) for device in devices)])
    assert shown == [[str(number) for number in range(total)]] * 2
