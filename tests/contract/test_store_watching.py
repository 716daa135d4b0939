"""Hints come after the commit, for each mailbox that grew or whose sessions changed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from queue import SimpleQueue

import pytest

from chatbooth_grpc.booth.errors import WrongPassword
from chatbooth_grpc.booth.store import Store, StoredSession
from tests.contract.racing import race
from tests.contract.stores import Clock, append, log_in, new_message, send_texts, sign_up, stored_account

PATIENCE = 30.0
"""Seconds within which a hint comes, where one must."""

CHANGES: dict[str, Callable[[Store, StoredSession], object]] = {
    "grown": lambda store, ann: send_texts(store, ann, "ann", "hello"),
    "acknowledged": lambda store, ann: store.acknowledge(ann, 1),
    "logged out": lambda store, ann: store.end_session(ann),
    "password changed": lambda store, ann: store.change_password(ann, stored_account(store, "ann"), "new"),
    "deleted": lambda store, ann: store.delete_account(ann, stored_account(store, "ann"), 0),
    "expired": lambda store, ann: store.expire_sessions(ann.used_time + 1, 10),
}


class Hints:
    """The hints that a store gives."""

    def __init__(self, store: Store) -> None:
        self._hints: SimpleQueue[Collection[int]] = SimpleQueue()
        store.watch(lambda mailbox_ids, _is_idle: self._hints.put(mailbox_ids))

    def wait_for(self, *mailbox_ids: int) -> None:
        """Return when a hint has named each of these mailboxes. Fail if one does not in time."""
        missing = set(mailbox_ids)
        while missing:
            missing -= set(self._hints.get(timeout=PATIENCE))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_gives_a_hint(store: Store, clock: Clock, change: Callable[[Store, StoredSession], object]) -> None:
    ann = sign_up(store, "ann")
    log_in(store, "ann")
    send_texts(store, ann, "ann", "one", "two")
    clock.advance(1)
    earlier, hints = Hints(store), Hints(store)
    change(store, ann)
    hints.wait_for(ann.mailbox_id)
    earlier.wait_for(ann.mailbox_id)


def test_a_deletion_gives_a_hint_once_it_is_committed(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    told: SimpleQueue[bool] = SimpleQueue()
    store.watch_deletions(lambda: told.put(store.account("ann") is None))
    with pytest.raises(WrongPassword):
        store.delete_account(ann, replace(stored_account(store, "ann"), password_hash="stale"), 0)
    store.change_password(bob, stored_account(store, "bob"), "new")
    store.delete_account(ann, stored_account(store, "ann"), 0)
    assert told.get(timeout=PATIENCE) is True
    store.touch_session(bob)
    assert told.empty()


def test_one_append_gives_a_hint_for_each_of_its_mailboxes(store: Store) -> None:
    sessions = [sign_up(store, name) for name in ("ann", "bob", "cat")]
    hints = Hints(store)
    append(store, [new_message(sessions[0], name) for name in ("bob", "nobody", "cat")])
    hints.wait_for(sessions[1].mailbox_id, sessions[2].mailbox_id)


def test_a_reader_that_reads_on_each_hint_reads_every_message(store: Store) -> None:
    bob = sign_up(store, "bob")
    senders = [sign_up(store, f"sender{number}") for number in range(4)]
    hints = Hints(store)

    def send_some(session: StoredSession) -> None:
        for number in range(20):
            send_texts(store, session, "bob", str(number))

    def read_all() -> None:
        while store.after(bob, 0, 0, 0).last_sequence < 80:
            hints.wait_for(bob.mailbox_id)

    race([read_all, *(partial(send_some, sender) for sender in senders)])


def test_a_watcher_that_fails_does_not_stop_sends(store: Store) -> None:
    def fail(_mailbox_ids: Collection[int], _is_idle: bool) -> None:
        raise ZeroDivisionError

    ann = sign_up(store, "ann")
    store.watch(fail)
    for number in range(3):
        send_texts(store, ann, "ann", str(number))
    assert store.after(ann, 0, 0, 0).last_sequence == 3
