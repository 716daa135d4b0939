"""A transaction for changes. It notes the sessions and mailboxes that each one touches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import apsw

from chatbooth_grpc.booth.errors import CursorPastEnd
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.store.sqlite.mailboxes import MailboxBounds, bounds_for
from chatbooth_grpc.store.sqlite.sql import SQL

Bindings = Sequence[object] | Mapping[str, object]

# The statements that end, move or refresh sessions, take an account from its mailbox, or block a sender. Only the
# methods of `WriteTransaction` run them, because caches and listeners depend on the rows that these statements touch.
TOUCHING = frozenset(
    {
        *("touch_session", "end_session", "end_other_sessions", "end_all_sessions"),
        *("advance_cursor", "detach_mailbox", "delete_account", "insert_block"),
    }
)

_FREE = {name: text for name, text in SQL.items() if name not in TOUCHING}


def _nothing(*_: object) -> None:
    pass


class WriteTransaction:
    """A transaction on the writing connection. Every change of the store but an append is made through it.

    The author of a new change cannot forget to note what it touches. `execute` knows no statement that touches a
    session or an account. The methods that run those statements note the rows for the end of the transaction.
    """

    __slots__ = (
        *("_caller", "_connection", "_forget_lookups", "_note_blocking"),
        *("changed", "ends_accounts", "outdates_sessions"),
    )

    def __init__(
        self,
        connection: apsw.Connection,
        forget_lookups: Callable[[], None] = _nothing,
        note_blocking: Callable[[str], None] = _nothing,
    ) -> None:
        """`forget_lookups` is called when sessions or accounts end, because appends must look them up again.

        `note_blocking` gets the name of an account that blocks somebody, because appends must look at its blocks.
        """
        self._connection = connection
        self._forget_lookups = forget_lookups
        self._note_blocking = note_blocking
        # The mailbox of the session that asks for the current change.
        self._caller: MailboxBounds | None = None
        # The mailboxes whose listeners must read again, other than those that grew.
        self.changed: set[int] = set()
        # Whether a cached session may be out of date.
        self.outdates_sessions = False
        # Whether a deleted account leaves a mailbox to prune.
        self.ends_accounts = False

    def begin_change(self, session: StoredSession | None) -> None:
        """Begin a change that `session` asks for. Raises SessionInvalid if the session has ended."""
        self._caller = None
        if session is not None:
            self._caller = bounds_for(self._connection, session)

    def execute(self, name: str, bindings: Bindings = ()) -> apsw.Cursor:
        """Run a statement that reads, or that writes rows which no cache and no listener depends on."""
        return self._connection.execute(_FREE[name], bindings)

    def write(self, name: str, bindings: Bindings = ()) -> int:
        """Run such a statement, and return how many rows it changed."""
        self._connection.execute(_FREE[name], bindings)
        return self._connection.changes()

    def touch_session(self, session: StoredSession, now: int) -> None:
        """Note that a session is used at a store time."""
        self.outdates_sessions = True
        self._connection.execute(SQL["touch_session"], (now, session.session_id))

    def advance_cursor(self, session: StoredSession, through: int) -> None:
        """Move the cursor of the session that asks for the change. Raises CursorPastEnd."""
        assert self._caller is not None  # noqa: S101  # the session asks for it
        last_sequence, _, _ = self._caller
        if through > last_sequence:
            raise CursorPastEnd(through, last_sequence)
        self._connection.execute(SQL["advance_cursor"], (through, session.session_id))
        self._connection.execute(SQL["advance_acknowledged"], (through, session.mailbox_id))
        self.changed.add(session.mailbox_id)

    def end_session(self, session_id: int, mailbox_id: int) -> None:
        """End a session."""
        self._end("end_session", (session_id,), mailbox_id)

    def end_other_sessions(self, session: StoredSession) -> int:
        """End the other sessions of a session's account, and return how many."""
        return self._end("end_other_sessions", (session.account_id, session.session_id), session.mailbox_id)

    def end_all_sessions(self, account_id: int, mailbox_id: int) -> int:
        """End all sessions of an account, and return how many."""
        return self._end("end_all_sessions", (account_id,), mailbox_id)

    def delete_account(self, account_id: int, mailbox_id: int) -> Removal:
        """Delete an account: end its sessions, and detach its mailbox, which is pruned later."""
        self.ends_accounts = True
        account = (account_id,)
        sessions = self.end_all_sessions(account_id, mailbox_id)
        self._connection.execute(SQL["delete_blocks"], (mailbox_id,))
        messages = self._connection.execute(SQL["detach_mailbox"], account).get
        self._connection.execute(SQL["delete_account"], account)
        return Removal(messages, sessions)

    def block(self, session: StoredSession, account_id: int) -> None:
        """Block an account for the account of a session."""
        self._note_blocking(session.username)
        self._connection.execute(SQL["insert_block"], (session.mailbox_id, account_id))

    def _end(self, name: str, bindings: Bindings, mailbox_id: int) -> int:
        self._forget_lookups()
        self.outdates_sessions = True
        self.changed.add(mailbox_id)
        self._connection.execute(SQL[name], bindings)
        return self._connection.changes()
