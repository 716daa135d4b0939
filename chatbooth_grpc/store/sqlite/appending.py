"""Appending messages to mailboxes inside the writer's transaction: dedup, the counter, the log.

A statement writes many rows: each gives the interpreter's lock up, and has to win it back from who answers and pushes
meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import apsw

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    MessageIdReused,
    RecipientNotFound,
    SessionInvalid,
)
from chatbooth_grpc.booth.model import Message, Receipt
from chatbooth_grpc.booth.store import NewMessage
from chatbooth_grpc.store.sqlite.sql import SQL

MAX_REMEMBERED = 50_000
MOST_ROWS = 32
"""Of one statement: there is a prepared one for each number of rows, and a repeat among them has all tried singly."""

_VALUES = re.compile(r"(VALUES )(\([?, ]+\))")


class Appender:
    """Appends, and remembers from one transaction to the next what it has looked up.

    What it remembers stays true as long as only it writes: it must `forget` where other work may end sessions or
    accounts, or where a transaction failed.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._insert_ids = _for_rows(SQL["insert_message_ids"])
        self._insert_messages = _for_rows(SQL["insert_messages"])
        self._set_last_sequences = _for_rows(SQL["set_last_sequences"])
        self._set_last_sequences[1] = SQL["set_last_sequence"]  # which takes a third of the time
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

    def forget(self) -> None:
        """Look up again what comes next."""
        self._live.clear()
        self._mailboxes.clear()
        self._advanced.clear()

    def append(self, messages: Sequence[NewMessage]) -> list[Receipt | ChatboothError]:
        """Append each message to its recipient's mailbox; return each one's outcome, in the same order.

        A message is refused before anything of it is written.
        """
        outcomes: list[Receipt | ChatboothError] = []
        for start in range(0, len(messages), MOST_ROWS):
            outcomes += self._append_some(messages[start : start + MOST_ROWS])
        self._write_last_sequences()
        return outcomes

    def _write_last_sequences(self) -> None:
        """Write the last sequences of the mailboxes that have grown."""
        advanced = list(self._advanced.items())
        for start in range(0, len(advanced), MOST_ROWS):
            some = advanced[start : start + MOST_ROWS]
            self._execute(self._set_last_sequences, some)
        self._advanced.clear()

    def _append_some(self, messages: Sequence[NewMessage]) -> list[Receipt | ChatboothError]:
        """Append as many as fit a statement: at once if all of them are new, else one by one."""
        now, receipt = self._now, Receipt(self._now)
        outcomes: list[Receipt | ChatboothError] = []
        ids: list[tuple[object, ...]] = []
        rows: list[tuple[object, ...]] = []
        grown: list[tuple[int, Message]] = []
        advanced: dict[str, tuple[int, int]] = {}  # as _mailboxes, which learn of it once it is true
        for new in messages:
            sender, (recipient, message_id, content, kind), digest, _ = new
            if sender.session_id not in self._live and not self._find_session(sender.session_id):
                outcomes.append(SessionInvalid())
                continue
            mailbox = advanced.get(recipient) or self._mailboxes.get(recipient) or self._find_mailbox(recipient)
            if mailbox is None:
                outcomes.append(RecipientNotFound(recipient))
                continue
            mailbox_id, sequence = mailbox[0], mailbox[1] + 1
            advanced[recipient] = (mailbox_id, sequence)
            outcomes.append(receipt)
            ids.append((mailbox_id, sender.account_id, message_id, digest, now))
            rows.append((mailbox_id, sequence, sender.account_id, sender.username, message_id, now, kind, content))
            stored = Message(sequence, sender.username, sender.account_id, message_id, now, content, kind)
            grown.append((mailbox_id, stored))
        if not rows:
            return outcomes
        try:
            self._execute(self._insert_ids, ids)
        except apsw.ConstraintError:  # a repeat is among them, or an id reused; the statement has undone itself
            if len(messages) > 1:
                return [outcome for new in messages for outcome in self._append_some([new])]
            return [self._repeated(ids[0])]
        self._execute(self._insert_messages, rows)
        self._mailboxes.update(advanced)
        self._advanced.update(advanced.values())
        for mailbox_id, stored in grown:
            self.grown.setdefault(mailbox_id, []).append(stored)
        return outcomes

    def _repeated(self, row: tuple[object, ...]) -> Receipt | ChatboothError:
        """Return the outcome of a message whose id is there already."""
        mailbox_id, sender_id, message_id, given, _ = row
        [[digest, accept_time]] = self._connection.execute(SQL["accepted_message"], (mailbox_id, sender_id, message_id))
        return Receipt(accept_time) if digest == given else MessageIdReused()

    def _execute(self, statements: Sequence[str], rows: Sequence[Iterable[object]]) -> None:
        """Run the statement for so many rows."""
        self._connection.execute(statements[len(rows)], [value for row in rows for value in row])

    def _find_session(self, session_id: int) -> bool:
        if self._connection.execute(SQL["session_is_live"], (session_id,)).get is None:
            return False
        self._live.add(session_id)
        return True

    def _find_mailbox(self, recipient: str) -> tuple[int, int] | None:
        row: tuple[int, int] | None = self._connection.execute(SQL["recipient_mailbox"], (recipient,)).fetchone()
        if row is not None:
            self._mailboxes[recipient] = row
        return row


def _for_rows(one_row: str) -> list[str]:
    """Return a statement over one row of VALUES for every number of rows, its own index, up to MOST_ROWS."""

    def form(rows: int) -> str:
        return _VALUES.sub(lambda found: found[1] + ", ".join([found[2]] * rows), one_row)

    return [form(rows) for rows in range(MOST_ROWS + 1)]
