"""What chatbooth asks of a store: the narrow waist between the action semantics and a database.

Every method may be called from many threads at once. Every method but `append_later` is synchronous, and returns only
when its change is on stable storage. A store that cannot answer raises `StoreUnavailable`, `StoreFull` or
`DeadlineExceeded`; a change that raised one of these may still have happened, except after `StoreFull`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import Message, OutgoingMessage, Receipt, Removal
from chatbooth_grpc.booth.store_clock import StoreClock


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account as log-in needs it."""

    account_id: int
    username: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A live session: whose it is, which mailbox it reads, and when it was last used.

    `cursor` is how far it had acknowledged at some moment; it may have moved on since.
    """

    session_id: int
    account_id: int
    username: str
    mailbox_id: int
    cursor: int
    used_time: int


class NewMessage(NamedTuple):
    """A message to append, on behalf of a session. `digest` is 16 bytes that stand for its kind and content."""

    session: StoredSession
    outgoing: OutgoingMessage
    digest: bytes
    lane: Lane | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages read from a mailbox, and where that mailbox and the session stood at the moment of reading.

    `last_sequence` is the newest sequence given out, `removed_through` the newest that retention has removed,
    `cursor` the session's acknowledged one.
    """

    messages: list[Message]
    last_sequence: int
    removed_through: int
    cursor: int


Outcome = Receipt | ChatboothError
"""What came of one message."""

Settle = Callable[[Sequence[Outcome]], None]
"""Takes an outcome for each message of an append, in their order. It must not block."""


@dataclass(frozen=True, slots=True)
class RetentionStep:
    """How many messages a step of retention removed, and the mailbox from which the next goes on; None: all is done."""

    removed: int
    go_on_from: int | None


Changed = Callable[[Collection[int]], None]
"""Told which mailboxes to look at again. A hint, free to come late, twice or not at all; must return at once."""


Deleted = Callable[[], None]
"""Called when a deleted account has left something to prune; must return at once."""


Available = Callable[[bool], None]
"""Called with False when the store can no longer keep anything, with True when it can again; must return at once."""


class Store(Protocol):
    """Accounts, their sessions and their mailboxes, kept durably."""

    @property
    def clock(self) -> StoreClock:
        """The clock that ages are told by: of sessions, held names and messages."""

    @property
    def epoch(self) -> bytes:
        """16 bytes that name this store's history; a restore from a backup changes them."""

    def create_account(self, username: str, password_hash: str, token_hash: bytes) -> StoredSession:
        """Make an account with its mailbox and a first session.

        Raises UsernameTaken: the name is in use or held. SessionInvalid: another session has this token.
        """

    def account(self, username: str) -> StoredAccount | None:
        """Find a live account by its name."""

    def usernames(self, prefix: str, after: str, limit: int) -> bytes:
        """Read up to `limit` names that start with `prefix` and sort after `after`, sorted by their bytes.

        Returns them joined by newlines, in ASCII: to look through a million costs no object for each. Empty: none.
        """

    def replace_password_hash(self, account: StoredAccount, password_hash: str) -> None:
        """Store a better hash of the same password, unless the password was changed meanwhile."""

    def change_password(self, session: StoredSession, account: StoredAccount, password_hash: str) -> int:
        """Change the password and end the account's other sessions; return how many.

        Raises SessionInvalid: the session has ended. WrongPassword: `account`'s hash is no longer the stored one.
        """

    def delete_account(self, session: StoredSession, account: StoredAccount, name_hold: float) -> Removal:
        """End every session, detach the mailbox and hold the name for `name_hold` seconds, in one transaction.

        Raises as `change_password`.
        """

    def create_session(self, account: StoredAccount, token_hash: bytes) -> StoredSession:
        """Open a session whose cursor is the account's furthest.

        Raises WrongCredentials: the account is gone, or its hash is no longer `account`'s.
        """

    def session(self, token_hash: bytes) -> StoredSession | None:
        """Find a live session by the hash of its token: one whose end was answered to anyone is not found."""

    def cached_session(self, token_hash: bytes) -> StoredSession | None:
        """Return what `session` returns if that is known without waiting for the database."""

    def watch(self, changed: Changed) -> None:
        """Tell `changed`, after each commit, the ids of the mailboxes that grew or whose sessions moved or ended."""

    def watch_deletions(self, deleted: Deleted) -> None:
        """Call `deleted` after each commit that deleted an account: `prune_deleted` has work then."""

    def watch_availability(self, available: Available) -> None:
        """Call `available` within a second after the store has found that its data is out of reach, or back.

        In between the store changes nothing and reads nothing but what is cached: it raises StoreUnavailable.
        """

    def expire_sessions(self, unused_since: int, limit: int) -> int:
        """End up to `limit` sessions that were last used before a store time; return how many it ended."""

    def touch_session(self, session: StoredSession) -> None:
        """Note that the session is in use now."""

    def end_session(self, session: StoredSession) -> None:
        """End the session; harmless if it has ended."""

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        """Append messages to their recipients' mailboxes, in order, in one transaction, but return at once.

        `settle` is called once, on any thread and perhaps before this returns, with an outcome for each message: a
        receipt, SessionInvalid, RecipientNotFound or MessageIdReused. A message whose id its sender has used in that
        mailbox before gets the first receipt again, or MessageIdReused if its digest differs. If the store itself
        fails, each outcome is StoreUnavailable, StoreFull, DeadlineExceeded or Internal.

        Such a failure of a message in a lane fails the lane, and the outcome is what `Lane.fail` returns. Appends are
        done in the order in which they were handed over. A message whose lane has failed by then is not stored: its
        outcome is the lane's error.
        """

    def after(self, session: StoredSession, sequence: int | None, max_messages: int, max_size: int) -> Batch:
        """Read the session's mailbox after `sequence`, up to `max_messages` or `max_size` bytes of content.

        None: after the session's cursor, which the batch tells. A first message is returned whatever its size, unless
        `max_messages` is 0. Raises SessionInvalid: the session has ended. CursorPastEnd.
        """

    def cached_messages(self, session: StoredSession, sequence: int) -> Sequence[Message]:
        """Return the messages right behind `sequence` if they were appended just now; none says nothing.

        Asks nothing of the database, not even whether the session still lives.
        """

    def acknowledge(self, session: StoredSession, through: int) -> None:
        """Move the session's cursor up to `through`; one at or behind the cursor changes nothing.

        Raises SessionInvalid, CursorPastEnd.
        """

    def remove_old(self, retain: float | None, start: int = 0) -> RetentionStep:
        """Take one small step of a walk over all mailboxes, and remove messages that need not be kept any longer.

        A message goes if it was accepted more than `retain` seconds ago and some session of its account has
        acknowledged it. With None it goes, whatever its age, if every live session has acknowledged it, and some
        session ever did.
        Only a mailbox's oldest go, so one that may not go keeps those that follow it. Their ids are known for ever.

        `start`: 0, then what the step before said to go on from. A step removes at most 250 messages or 4 MiB (at least
        one message) and keeps nobody waiting for longer than that takes.
        """

    def prune_deleted(self) -> bool:
        """Remove a little of what deleted accounts left; return whether there may be more.

        The store never prunes by itself. A step that failed is tried again by the next call.
        """

    def close(self) -> None:
        """Finish what was begun and release everything."""
