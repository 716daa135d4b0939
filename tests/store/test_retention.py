"""What retention leaves of a mailbox, imitated by its SQL: the counter, the dedup table and the bounds stay."""

from __future__ import annotations

import apsw
import pytest

from chatbooth_grpc.booth.errors import CursorPastEnd, MessageIdReused
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.booth.store import StoredSession
from tests.contract.stores import (
    PLENTY,
    SQLiteHome,
    log_in,
    mailbox,
    new_message,
    send,
    send_texts,
    sign_up,
    stored_account,
)

MESSAGE_ID = bytes(range(16))


def remove_through(home: SQLiteHome, session: StoredSession, through: int) -> None:
    """Remove a mailbox's messages up to a sequence, as retention will."""
    connection = apsw.Connection(str(home.path))
    with connection:
        bounds = {"mailbox_id": session.mailbox_id, "through": through}
        connection.execute("DELETE FROM messages WHERE mailbox_id = :mailbox_id AND sequence <= :through", bounds)
        connection.execute("UPDATE mailboxes SET removed_through = :through WHERE mailbox_id = :mailbox_id", bounds)
    connection.close()


@pytest.mark.parametrize("through", [1, 2, 3])
def test_sequences_go_on_from_the_counter_whatever_is_left(home: SQLiteHome, through: int) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", *"abc")
    remove_through(home, ann, through)
    with home.open() as store:
        send_texts(store, ann, "ann", "d")
        assert [message.sequence for message in mailbox(store, ann)] == list(range(through + 1, 5))


def test_a_reader_learns_what_was_removed(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", *"abcd")
        remove_through(home, ann, 2)
        for after, expected in [(0, [3, 4]), (1, [3, 4]), (3, [4]), (4, [])]:
            batch = store.after(ann, after, PLENTY, PLENTY)
            assert [message.sequence for message in batch.messages] == expected
            assert (batch.last_sequence, batch.removed_through) == (4, 2)


def test_an_emptied_mailbox_keeps_its_end(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", *"abc")
        remove_through(home, ann, 3)
        batch = store.after(ann, 0, PLENTY, PLENTY)
        assert (batch.messages, batch.last_sequence, batch.removed_through) == ([], 3, 3)
        with pytest.raises(CursorPastEnd):
            store.after(ann, 4, PLENTY, PLENTY)
        store.acknowledge(ann, 3)
        assert log_in(store, "ann").cursor == 3


def test_a_removed_message_is_not_stored_again_by_its_retry(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        first = send(store, new_message(ann, "ann", "tea?", MESSAGE_ID))
        remove_through(home, ann, 1)
        home.clock.advance(86_400)
        assert send(store, new_message(ann, "ann", "tea?", MESSAGE_ID)) == first
        with pytest.raises(MessageIdReused):
            send(store, new_message(ann, "ann", "coffee?", MESSAGE_ID))
        assert mailbox(store, ann) == []


def test_deleting_counts_only_what_was_left(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", *"abcde")
        remove_through(home, ann, 2)
        assert store.delete_account(ann, stored_account(store, "ann"), 0) == Removal(3, 1)
