"""Appending messages to mailboxes in a transaction: the dedup rule, the counter, the log.

Each statement writes many rows. The writer releases the interpreter's lock for each statement, and then has to wait for
it while other threads answer and push. So a few statements for many rows save time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import apsw

from chatbooth_grpc.booth.errors import (
    Blocked,
    ChatboothError,
    MailboxFull,
    MessageIdReused,
    RecipientNotFound,
    SessionInvalid,
)
from chatbooth_grpc.booth.model import Message, Receipt
from chatbooth_grpc.booth.store import NewMessage
from chatbooth_grpc.store.sqlite.sql import SQL

# The most sessions and mailboxes that are cached, together.
MAX_REMEMBERED = 50_000

# The most rows of one statement. There is a prepared statement for each number of rows. If one of the messages is a
# repeat, each of them is appended by a statement of its own.
MOST_ROWS = 32

_VALUES = re.compile(r"(VALUES )(\([?, ]+\))")


class _Batch(NamedTuple):
    """Messages that one statement appends, and the outcomes of all messages that were decided with them."""

    outcomes: list[Receipt | ChatboothError]
    # The rows of the two tables.
    ids: list[tuple[object, ...]]
    rows: list[tuple[object, ...]]
    # The mailbox of each recipient and its last sequence, as they are once the rows are written.
    mailboxes: dict[str, tuple[int, int]]
    # The messages, each with its mailbox.
    appended: list[tuple[int, Message]]


class Appender:
    """Appends messages. It caches the sessions and mailboxes that it looks up, also for later transactions.

    The cache stays right while nothing else writes. `forget` must be called when other work ends sessions or accounts,
    and when a transaction has failed.
    """

    def __init__(self, connection: apsw.Connection, max_mailbox: int = 0) -> None:
        """A mailbox holds at most `max_mailbox` messages that nobody has acknowledged. 0 sets no limit."""
        self._connection = connection
        self._max_mailbox = max_mailbox or sys.maxsize
        # By mailbox, the last sequence that had room at the latest look. An acknowledgement makes room for more.
        self._fitting: dict[int, int] = {}
        self._insert_ids = _for_rows(SQL["insert_message_ids"])
        self._insert_messages = _for_rows(SQL["insert_messages"])
        self._set_last_sequences = _for_rows(SQL["set_last_sequences"])
        # For one row, this statement takes a third of the time.
        self._set_last_sequences[1] = SQL["set_last_sequence"]
        self._now = 0
        # The ids of sessions that are live.
        self._live: set[int] = set()
        # The mailbox of each recipient, and its last sequence.
        self._mailboxes: dict[str, tuple[int, int]] = {}
        # The recipients of `_mailboxes` that block somebody, and perhaps some that have unblocked everybody since.
        self._blocking: set[str] = set()
        # The last sequences that are not written yet, by mailbox.
        self._unwritten: dict[int, int] = {}
        # The messages that the transaction has appended so far, by mailbox.
        self.appended: dict[int, list[Message]] = {}

    def begin(self, now: int) -> None:
        """Begin a transaction. `now` is the accept time of all its messages, in microseconds."""
        self._now = now
        self.appended = {}
        if len(self._mailboxes) + len(self._live) > MAX_REMEMBERED:
            self.forget()

    def forget(self) -> None:
        """Empty the cache, so that the next appends look everything up again."""
        self._live.clear()
        self._mailboxes.clear()
        self._blocking.clear()
        self._fitting.clear()
        self._unwritten.clear()

    def note_blocking(self, recipient: str) -> None:
        """Note that a recipient begins to block somebody. If its mailbox is not cached, looking it up shows that."""
        if recipient in self._mailboxes:
            self._blocking.add(recipient)

    def append(self, messages: Sequence[NewMessage]) -> list[Receipt | ChatboothError]:
        """Append each message to its recipient's mailbox, and return the outcomes in the same order.

        A message that is refused leaves nothing written.
        """
        outcomes: list[Receipt | ChatboothError] = []
        for start in range(0, len(messages), MOST_ROWS):
            outcomes += self._append_some(messages[start : start + MOST_ROWS])
        self._write_last_sequences()
        return outcomes

    def _write_last_sequences(self) -> None:
        """Write the last sequences of the mailboxes to which messages were appended."""
        unwritten = list(self._unwritten.items())
        for start in range(0, len(unwritten), MOST_ROWS):
            self._execute(self._set_last_sequences, unwritten[start : start + MOST_ROWS])
        self._unwritten.clear()

    def _append_some(self, messages: Sequence[NewMessage]) -> list[Receipt | ChatboothError]:
        """Append as many messages as one statement takes. If one of them is a repeat, append them one by one."""
        batch = self._decide(messages)
        if batch is None:
            return self._append_singly(messages)
        if not batch.rows:
            return batch.outcomes
        try:
            self._execute(self._insert_ids, batch.ids)
        except apsw.ConstraintError:
            # At least one message is a repeat, or reuses an id. SQLite has undone the statement.
            if len(messages) > 1:
                return self._append_singly(messages)
            earlier = self._earlier(*batch.ids[0][:4])
            # The statement fails for this reason alone.
            assert earlier is not None  # noqa: S101
            return [earlier]
        self._execute(self._insert_messages, batch.rows)
        self._mailboxes.update(batch.mailboxes)
        self._unwritten.update(batch.mailboxes.values())
        for mailbox_id, stored in batch.appended:
            self.appended.setdefault(mailbox_id, []).append(stored)
        return batch.outcomes

    def _append_singly(self, messages: Sequence[NewMessage]) -> list[Receipt | ChatboothError]:
        return [outcome for new in messages for outcome in self._append_some([new])]

    def _decide(self, messages: Sequence[NewMessage]) -> _Batch | None:
        """Decide which messages to append, and return their rows and the outcomes of all. Nothing is written yet.

        None means that an outcome depends on an earlier message of these, which must be written first.
        """
        # Every Send runs this loop. So a message that is appended costs no Python call of our own in it.
        now, receipt = self._now, Receipt(self._now)
        batch = _Batch([], [], [], {}, [])
        outcomes, ids, rows, mailboxes, appended = batch
        for new in messages:
            sender, (recipient, message_id, content, kind), digest, _ = new
            if sender.session_id not in self._live and not self._find_session(sender.session_id):
                outcomes.append(SessionInvalid())
                continue
            mailbox = mailboxes.get(recipient) or self._mailboxes.get(recipient) or self._find_mailbox(recipient)
            # This comes first, so that a token never learns which names exist.
            if sender.limits is not None and not sender.limits.may_send_to(mailbox and mailbox[0]):
                outcomes.append(sender.limits.refusal())
                continue
            if mailbox is None:
                outcomes.append(RecipientNotFound(recipient))
                continue
            mailbox_id, sequence = mailbox[0], mailbox[1] + 1
            refusal: ChatboothError | None = None
            if recipient in self._blocking and self._is_blocked(mailbox_id, sender.account_id):
                refusal = Blocked(recipient)
            # A mailbox that never had more messages is not full.
            elif sequence > self._max_mailbox and not self._fits(mailbox_id, sequence):
                if recipient in mailboxes:
                    # This may be a repeat of a message of this batch, which then gets a receipt.
                    return None
                refusal = MailboxFull(recipient)
            if refusal is not None:
                # A repeat of a message that is stored gets the first receipt all the same.
                earlier = self._earlier(mailbox_id, sender.account_id, message_id, digest)
                outcomes.append(earlier or refusal)
                continue
            mailboxes[recipient] = (mailbox_id, sequence)
            outcomes.append(receipt)
            ids.append((mailbox_id, sender.account_id, message_id, digest, now))
            rows.append((mailbox_id, sequence, sender.account_id, sender.username, message_id, now, kind, content))
            stored = Message(sequence, sender.username, sender.account_id, message_id, now, content, kind)
            appended.append((mailbox_id, stored))
        return batch

    def _earlier(
        self, mailbox_id: object, sender_id: object, message_id: object, given: object
    ) -> Receipt | ChatboothError | None:
        """Return the outcome of a message whose id is stored already. None means that the id is not stored."""
        row = self._connection.execute(SQL["accepted_message"], (mailbox_id, sender_id, message_id)).fetchone()
        if row is None:
            return None
        digest, accept_time = row
        return Receipt(accept_time) if digest == given else MessageIdReused()

    def _is_blocked(self, mailbox_id: int, sender_id: int) -> bool:
        return self._connection.execute(SQL["is_blocked"], (mailbox_id, sender_id)).get is not None

    def _fits(self, mailbox_id: int, sequence: int) -> bool:
        """Whether a mailbox has room for the message with this sequence.

        This asks the database only if the mailbox was full when it last asked. An acknowledgement makes room.
        """
        if sequence > self._fitting.get(mailbox_id, 0):
            acknowledged = self._connection.execute(SQL["acknowledged_through"], (mailbox_id,)).get
            self._fitting[mailbox_id] = acknowledged + self._max_mailbox
        return sequence <= self._fitting[mailbox_id]

    def _execute(self, statements: Sequence[str], rows: Sequence[Iterable[object]]) -> None:
        """Run the statement that takes this number of rows."""
        self._connection.execute(statements[len(rows)], [value for row in rows for value in row])

    def _find_session(self, session_id: int) -> bool:
        if self._connection.execute(SQL["session_is_live"], (session_id,)).get is None:
            return False
        self._live.add(session_id)
        return True

    def _find_mailbox(self, recipient: str) -> tuple[int, int] | None:
        row = self._connection.execute(SQL["recipient_mailbox"], (recipient,)).fetchone()
        if row is None:
            return None
        mailbox_id, last_sequence, blocks_somebody = row
        if blocks_somebody:
            self._blocking.add(recipient)
        self._mailboxes[recipient] = (mailbox_id, last_sequence)
        return self._mailboxes[recipient]


def _for_rows(one_row: str) -> list[str]:
    """Return a list in which the statement at index N takes N rows of VALUES, for every N up to MOST_ROWS."""

    def form(rows: int) -> str:
        return _VALUES.sub(lambda found: found[1] + ", ".join([found[2]] * rows), one_row)

    return [form(rows) for rows in range(MOST_ROWS + 1)]
