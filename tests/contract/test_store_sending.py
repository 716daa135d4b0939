"""Appending later: each append is settled once, in order, with any outcome."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from contextlib import nullcontext

import pytest

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    MessageIdReused,
    RecipientNotFound,
    SessionInvalid,
    StoreUnavailable,
)
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import Outcome, Store
from tests.contract.stores import (
    Home,
    append,
    log_in,
    mailbox,
    new_message,
    new_token_hash,
    send_texts,
    sign_up,
    texts,
)
from tests.deadlines import deadline_in

PATIENCE = 20
MANY = 200


class Settled:
    """Records the outcomes with which appends are settled."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Sequence[Outcome]] = queue.SimpleQueue()

    def __call__(self, outcomes: Sequence[Outcome]) -> None:
        self._queue.put(outcomes)

    def next(self) -> list[Outcome]:
        return [*self._queue.get(timeout=PATIENCE)]

    @property
    def is_empty(self) -> bool:
        return self._queue.empty()


def test_an_append_is_settled_with_an_outcome_for_each_message(store: Store) -> None:
    ann, ben, settled = sign_up(store, "ann"), sign_up(store, "ben"), Settled()
    gone = log_in(store, "ann")
    store.end_session(gone)
    first = new_message(ann, "ben", "one")
    store.append_later(
        [
            first,
            new_message(ann, "nobody", "lost"),
            first._replace(digest=bytes(16)),
            new_message(gone, "ben", "ended"),
            new_message(ann, "ben", "two"),
        ],
        settled,
    )
    outcomes = settled.next()
    assert [type(one) for one in outcomes] == [Receipt, RecipientNotFound, MessageIdReused, SessionInvalid, Receipt]
    assert texts(store, ben) == ["one", "two"]


def test_appends_are_done_in_the_order_of_their_hand_over(store: Store) -> None:
    ann, settled = sign_up(store, "ann"), Settled()
    for number in range(MANY):
        store.append_later([new_message(ann, "ann", str(number))], settled)
    for _ in range(MANY):
        [outcome] = settled.next()
        assert isinstance(outcome, Receipt)
    assert settled.is_empty
    assert texts(store, ann) == [str(number) for number in range(MANY)]


def test_what_is_settled_can_be_read_at_once(store: Store) -> None:
    ann, read = sign_up(store, "ann"), queue.SimpleQueue[list[str]]()
    store.append_later([new_message(ann, "ann", "tea?")], lambda _: read.put(texts(store, ann)))
    assert read.get(timeout=PATIENCE) == ["tea?"]


def test_a_failed_append_is_settled_once_and_stores_nothing(home: Home, store: Store) -> None:
    ann, settled = sign_up(store, "ann"), Settled()
    with home.failing(store):
        store.append_later([new_message(ann, "ann", "one"), new_message(ann, "ann", "two")], settled)
        assert [type(outcome) for outcome in settled.next()] == [StoreUnavailable] * 2
    send_texts(store, ann, "ann", "three")
    assert settled.is_empty
    assert texts(store, ann) == ["three"]


def test_an_append_past_its_deadline_is_settled_and_not_begun(store: Store) -> None:
    ann, settled, lane = sign_up(store, "ann"), Settled(), Lane()
    with deadline_in(0):
        store.append_later([new_message(ann, "ann")._replace(lane=lane)], settled)
    [error] = settled.next()
    assert isinstance(error, DeadlineExceeded)
    assert lane.is_failure(error)
    assert texts(store, ann) == []


def test_a_closed_store_settles_too(home: Home) -> None:
    store, settled, lane = home.open(), Settled(), Lane()
    ann = sign_up(store, "ann")
    store.append_later([new_message(ann, "ann", "before")], settled)
    store.close()
    assert isinstance(settled.next()[0], Receipt), "what was handed over is finished"
    store.append_later([new_message(ann, "ann", "after")._replace(lane=lane)], settled)
    [error] = settled.next()
    assert isinstance(error, StoreUnavailable)
    assert lane.is_failure(error)


def test_a_callback_that_raises_keeps_no_outcome_from_the_others(store: Store) -> None:
    ann, settled = sign_up(store, "ann"), Settled()

    def broken(_: object) -> None:
        raise LookupError("a bug, made for this test")

    for settle in (broken, settled, broken, settled):
        store.append_later([new_message(ann, "ann")], settle)
    for _ in range(2):
        assert isinstance(settled.next()[0], Receipt)


# Answers that a store may give without its database


def test_a_cached_session_is_the_session_and_none_that_has_ended(store: Store) -> None:
    token_hash = new_token_hash()
    session = sign_up(store, "ann", token_hash)
    assert store.session(token_hash) == session
    assert store.cached_session(token_hash) in (None, session)
    assert store.cached_session(new_token_hash()) is None
    store.end_session(session)
    assert store.cached_session(token_hash) is None


def test_recent_messages_are_those_that_follow_or_none(store: Store) -> None:
    ann, ben = sign_up(store, "ann"), sign_up(store, "ben")
    for number in range(5):
        send_texts(store, ann, "ben", f"{number} one", f"{number} two")
        append(store, [new_message(ann, "nobody", "lost")])
        for after in range(2 * number + 3):
            assert [*store.cached_messages(ben, after)] in ([], mailbox(store, ben, after))
    assert [*store.cached_messages(ann, 0)] == []


@pytest.mark.parametrize("change", ["fails", "ends"])
def test_nothing_recent_is_what_was_never_committed(home: Home, store: Store, change: str) -> None:
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", "one")
    settled, ended = Settled(), log_in(store, "ann")
    store.end_session(ended)
    with home.failing(store) if change == "fails" else nullcontext():
        store.append_later([new_message(ann if change == "fails" else ended, "ann", "two")], settled)
        assert isinstance(settled.next()[0], ChatboothError)
    assert [*store.cached_messages(ann, 1)] == []
    assert [*store.cached_messages(ann, 0)] in ([], mailbox(store, ann))
