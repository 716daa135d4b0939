"""Appending messages to mailboxes inside the writer's transaction: dedup, the counter, the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    MessageIdReused,
    RecipientNotFound,
    SessionInvalid,
)
from chatbooth_grpc.booth.model import Message, Receipt
from chatbooth_grpc.booth.store import NewMessage

MAX_REMEMBERED = 50_000


class Appender:
    """Appends, and remembers from one transaction to the next what it has looked up.

    What it remembers stays true as long as only it writes: it must `flush` before other work, and `forget` where that
    may end sessions or accounts, or where a transaction failed.
    """

    def __init__(self, connection: apsw.Connection, sql: Mapping[str, str]) -> None:
        self._connection = connection
        self._sql = sql
        self._now = 0
        self._live: set[int] = set()  # sessions
        self._mailboxes: dict[str, tuple[int, int]] = {}  # a recipient's mailbox, and its last sequence
        self._advanced: dict[int, int] = {}  # mailboxes whose last sequence is not written yet
        self.grown: dict[int, list[Message]] = {}
        """What the transaction has appended so far, by mailbox."""

    def begin(self, now: int) -> None:
        """Begin a transaction. `now`: the accept time of all that is appended in it, in microseconds."""
        self._now = now
        self.grown = {}
        if len(self._mailboxes) + len(self._live) > MAX_REMEMBERED:
            self.forget()

    def flush(self) -> None:
        """Write the last sequences of the mailboxes that have grown."""
        for mailbox_id, last_sequence in self._advanced.items():
            self._connection.execute(self._sql["set_last_sequence"], (last_sequence, mailbox_id))
        self._advanced.clear()

    def forget(self) -> None:
        """Look up again what comes next."""
        self._live.clear()
        self._mailboxes.clear()
        self._advanced.clear()

    def append(self, messages: Sequence[NewMessage]) -> list[Receipt | ChatboothError]:
        """Append each message to its recipient's mailbox; return each one's outcome, in the same order.

        A message is refused before anything of it is written.
        """
        return [self._outcome(message) for message in messages]

    def _outcome(self, new: NewMessage) -> Receipt | ChatboothError:
        sender, message = new.session, new.outgoing
        if not self._is_live(sender.session_id):
            return SessionInvalid()
        mailbox = self._mailboxes.get(message.recipient) or self._find_mailbox(message.recipient)
        if mailbox is None:
            return RecipientNotFound(message.recipient)
        mailbox_id, last_sequence = mailbox

        execute, sql, now = self._connection.execute, self._sql, self._now
        key = (mailbox_id, sender.account_id, message.message_id)
        execute(sql["insert_message_id"], (*key, new.digest, now))
        if not self._connection.changes():
            [[digest, accept_time]] = execute(sql["accepted_message"], key)
            return Receipt(accept_time) if digest == new.digest else MessageIdReused()

        sequence = last_sequence + 1
        execute(
            sql["insert_message"],
            (
                mailbox_id,
                sequence,
                sender.account_id,
                sender.username,
                message.message_id,
                now,
                message.kind,
                message.content,
            ),
        )
        self._mailboxes[message.recipient] = (mailbox_id, sequence)
        self._advanced[mailbox_id] = sequence
        stored = Message(
            sequence, sender.username, sender.account_id, message.message_id, now, message.content, message.kind
        )
        self.grown.setdefault(mailbox_id, []).append(stored)
        return Receipt(now)

    def _is_live(self, session_id: int) -> bool:
        if session_id not in self._live:
            if self._connection.execute(self._sql["session_is_live"], (session_id,)).get is None:
                return False
            self._live.add(session_id)
        return True

    def _find_mailbox(self, recipient: str) -> tuple[int, int] | None:
        row: tuple[int, int] | None = self._connection.execute(self._sql["recipient_mailbox"], (recipient,)).fetchone()
        if row is not None:
            self._mailboxes[recipient] = row
        return row
