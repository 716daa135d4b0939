"""The one way to send: it checks messages, stores them and passes on the outcomes."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial

from chatbooth_grpc.booth.actions import ACTIONS, SEND
from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import ContentKind, OutgoingMessage
from chatbooth_grpc.booth.rules import check_outgoing, folded_username
from chatbooth_grpc.booth.store import NewMessage, Outcome, Settle, Store, StoredSession

_DIGEST_MARKS: dict[int, bytes] = {kind: b"kind%d" % kind for kind in ContentKind}

Checked = NewMessage | ChatboothError
"""A message that fits the rules, or the error that refuses it."""


class Sending:
    """Checks messages and hands them to a store. It never blocks. Many threads may call it."""

    def __init__(self, store: Store, text_size: int) -> None:
        """`text_size` is the most bytes of text in a message."""
        self._store = store
        self._text_size = text_size

    def checked(self, session: StoredSession, message: OutgoingMessage, lane: Lane | None = None) -> Checked:
        """Return a message of an authenticated session in the store's form, or the error that refuses it.

        The error is NotPermitted, InvalidMessageId, InvalidUsername, UnknownContentKind, EmptyText or TextTooLong.
        """
        try:
            # The store compares the recipient with the one of a token.
            if session.limits is not None:
                session.limits.check(ACTIONS[SEND].right)
            check_outgoing(message, self._text_size)
            recipient = folded_username(message.recipient, "recipient")
        except ChatboothError as refusal:
            return refusal
        if recipient != message.recipient:
            message = OutgoingMessage(recipient, message.message_id, message.content, message.kind)
        return NewMessage(session, message, _digest(message), lane)

    def send_later(self, checked: Sequence[Checked], settle: Settle) -> None:
        """Store the messages that were not refused, in one commit, and return at once.

        `settle` gets an outcome for each of `checked`, in their order, as the store's `append_later` describes.
        """
        fit = [new for new in checked if isinstance(new, NewMessage)]
        if not fit:
            _settle_all(checked, settle, ())
        elif len(fit) == len(checked):
            self._store.append_later(fit, settle)
        else:
            self._store.append_later(fit, partial(_settle_all, checked, settle))


def wait_for(begin: Callable[[Settle], None]) -> Sequence[Outcome]:
    """Call `begin` with a callback, wait until the callback gets the outcomes, and return them.

    Raises DeadlineExceeded if the call's deadline passes first.
    """
    settled: queue.SimpleQueue[Sequence[Outcome]] = queue.SimpleQueue()
    begin(settled.put)
    try:
        return settled.get(timeout=time_remaining(threading.TIMEOUT_MAX))
    except queue.Empty:
        raise DeadlineExceeded from None


def _settle_all(checked: Sequence[Checked], settle: Settle, stored: Sequence[Outcome]) -> None:
    """Call `settle` with an outcome for each checked message. `stored` has those of the messages that were stored."""
    outcomes = iter(stored)
    settle([next(outcomes) if isinstance(new, NewMessage) else new for new in checked])


def _digest(message: OutgoingMessage) -> bytes:
    """Return 16 bytes that identify a message's content. They tell a repeat of a message from a reuse of its id."""
    return hashlib.blake2b(message.content, digest_size=16, person=_DIGEST_MARKS[message.kind]).digest()
