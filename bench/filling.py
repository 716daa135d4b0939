"""Fills a mailbox of a store without a server, in the way that a connection sends."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.sending import wait_for

_BATCH = 1_000


def fill_mailbox(booth: Booth, token: bytes, recipient: str, count: int, text: bytes) -> None:
    """Send a recipient this number of messages of one text, in batches of a thousand and in one lane.

    Raises RuntimeError if one of them was not stored.
    """
    session, lane = booth.authenticated(token), Lane()
    for size in _batch_sizes(count):
        messages = [OutgoingMessage(recipient, new_message_id(), text) for _ in range(size)]
        checked = [booth.sending.checked(session, message, lane) for message in messages]
        outcomes = wait_for(partial(booth.sending.send_later, checked))
        if not all(isinstance(outcome, Receipt) for outcome in outcomes):
            raise RuntimeError("the store refused a message")


def _batch_sizes(count: int) -> Iterator[int]:
    for start in range(0, count, _BATCH):
        yield min(_BATCH, count - start)
