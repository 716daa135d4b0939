"""A mailbox takes a limited number of messages that nobody has acknowledged."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import MailboxFull
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.booth.sending import wait_for
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords


def message(number: int, recipient: str = "ann") -> OutgoingMessage:
    """Return a message."""
    return OutgoingMessage(recipient, number.to_bytes(16, "big"), b"hello")


def test_a_full_mailbox_takes_no_message_until_its_owner_acknowledges(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "s.db", max_mailbox=3) as store:
        booth = Booth(store, passwords=cheap_passwords())
        ann, ben = (booth.sign_up(name, PASSWORD).token for name in ("ann", "ben"))
        receipts = [booth.send(ben, message(number)) for number in (1, 2, 3)]
        with pytest.raises(MailboxFull) as refused:
            booth.send(ben, message(4))
        assert refused.value.recipient == "ann"
        # A repeat gets the first receipt, and another mailbox has room.
        assert booth.send(ben, message(1)) == receipts[0]
        booth.send(ann, message(4, "ben"))
        booth.acknowledge(ann, 2)
        for number in (4, 5):
            booth.send(ben, message(number))
        with pytest.raises(MailboxFull):
            booth.send(ben, message(6))
        delivered = booth.deliver(ann).messages
        assert [each.message_id for each in booth.deliver(ann, after=0).messages] == [
            message(number).message_id for number in (1, 2, 3, 4, 5)
        ]
        assert [each.sequence for each in delivered] == [3, 4, 5]


def test_a_batch_fills_the_mailbox_and_the_rest_is_refused(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "s.db", max_mailbox=3) as store:
        booth = Booth(store, passwords=cheap_passwords())
        ben = booth.authenticated(booth.sign_up("ben", PASSWORD).token)
        checked = [booth.sending.checked(ben, message(number, "ben")) for number in range(1, 6)]
        outcomes = wait_for(partial(booth.sending.send_later, checked))
        assert [isinstance(outcome, MailboxFull) for outcome in outcomes] == [False] * 3 + [True] * 2


def test_a_repeat_in_the_batch_that_fills_the_mailbox_gets_its_receipt(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "s.db", max_mailbox=2) as store:
        booth = Booth(store, passwords=cheap_passwords())
        ben = booth.authenticated(booth.sign_up("ben", PASSWORD).token)
        checked = [booth.sending.checked(ben, message(number, "ben")) for number in (1, 2, 2, 3, 1)]
        outcomes = wait_for(partial(booth.sending.send_later, checked))
        assert [isinstance(outcome, MailboxFull) for outcome in outcomes] == [False, False, False, True, False]
