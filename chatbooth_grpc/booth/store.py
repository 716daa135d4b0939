"""The interface of a store, which is all that the booth knows of a database.

Many threads may call each method at once. Every method but `append_later` is synchronous, and returns only when its
change is on stable storage. A store that cannot answer raises `StoreUnavailable`, `StoreFull` or `DeadlineExceeded`.
After `StoreFull`, nothing has changed. After the other two, the change may still have happened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import Message, OutgoingMessage, Receipt, Removal, SessionEntry
from chatbooth_grpc.booth.store_clock import StoreClock
from chatbooth_grpc.booth.tokens import StoredLimits, TokenLimits


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """The part of an account that log-in needs."""

    account_id: int
    username: str
    password_hash: str
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A live session, with its account, the mailbox that it reads, and the time of its last noted use.

    `cursor` is the session's cursor at some moment. The cursor may have moved on since.
    """

    session_id: int
    account_id: int
    username: str
    mailbox_id: int
    cursor: int
    used_time: int
    limits: StoredLimits | None = None
    """The limits of the session if it is a token. None means everything that the account may do."""

    @property
    def sender_key(self) -> int:
        """The key under which the limit of messages counts the session: its account's.

        A token that may not send has a key of its own, so that its refused messages keep nobody else from sending.
        """
        return self.account_id if self.limits is None or self.limits.limits.may_send else -self.session_id


class NewMessage(NamedTuple):
    """A message that a session sends, to be appended. `digest` is 16 bytes that identify its kind and content."""

    session: StoredSession
    outgoing: OutgoingMessage
    digest: bytes
    lane: Lane | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages read from a mailbox, and the state of the mailbox and of the session at the moment of reading.

    `last_sequence` is the newest sequence that the mailbox has given to a message. `removed_through` is the newest
    sequence that retention has removed. `cursor` is the sequence up to which the session has acknowledged.
    """

    messages: list[Message]
    last_sequence: int
    removed_through: int
    cursor: int


MAX_BLOCKS = 1_000
"""The most accounts that one account may block."""

Outcome = Receipt | ChatboothError
"""The outcome of one message."""

Settle = Callable[[Sequence[Outcome]], None]
"""A callback that gets an outcome for each message of an append, in their order. It must not block."""


@dataclass(frozen=True, slots=True)
class RetentionStep:
    """How many messages a step of retention removed, and the mailbox at which the next step continues.

    None means that the walk is complete.
    """

    removed: int
    go_on_from: int | None


Changed = Callable[[Collection[int], bool], None]
"""A callback that gets the mailboxes to read again. It is a hint, which may come late, twice or not at all.

It also gets whether nothing else waits for the thread that calls it. It must not block, and if work waits, it must
return at once.
"""


Deleted = Callable[[], None]
"""A callback for the case that a deleted account has left rows to prune. It must return at once."""


Available = Callable[[bool], None]
"""A callback that gets False when the store can keep nothing any longer, and True when it can again.

It must return at once.
"""

MAX_SESSIONS = 1_000
"""How many live sessions an account may have. Another log-in ends the one that was not used for longest."""


class Store(Protocol):
    """Keeps accounts, their sessions and their mailboxes durably."""

    @property
    def clock(self) -> StoreClock:
        """The clock that measures the ages of sessions, held names and messages."""

    @property
    def epoch(self) -> bytes:
        """16 bytes that name this store's history. A restore from a backup changes them."""

    def create_account(
        self, username: str, password_hash: str, token_hash: bytes, label: str = "", invite_hash: bytes | None = None
    ) -> StoredSession:
        """Make an account with its mailbox and a first session.

        If `invite_hash` is not None, it is the hash of an invite's code, and the same transaction counts one use of
        that invite. If a live session of the account of this name has this token already, this returns that session
        and changes nothing.

        Raises InviteRefused if no invite that is good has this code. Raises UsernameTaken if the name is in use or
        held. Raises SessionInvalid if another session has this token.
        """

    def check_invite(self, code_hash: bytes) -> None:
        """Look whether an invite that is good has this code. Raises InviteRefused."""

    def remove_old_invites(self) -> int:
        """Remove a few of the invites that have ended long ago. Return how many. 0 means that there are no more."""

    def account(self, username: str) -> StoredAccount | None:
        """Find a live account by its name."""

    def usernames(self, prefix: str, after: str, limit: int) -> bytes:
        """Read up to `limit` names that start with `prefix` and sort after `after`, sorted by their bytes.

        Returns the names joined by newlines, in ASCII, so that a search of a million names makes no object for each
        name. Returns no bytes if there is no such name.
        """

    def replace_password_hash(self, account: StoredAccount, password_hash: str) -> None:
        """Store a better hash of the same password, unless the password has changed meanwhile."""

    def change_password(self, session: StoredSession, account: StoredAccount, password_hash: str) -> int:
        """Change the password and end the account's other sessions, but no tokens. Return how many sessions it ended.

        Raises SessionInvalid if the session has ended. Raises WrongPassword if the stored hash is no longer the one in
        `account`.
        """

    def delete_account(self, session: StoredSession, account: StoredAccount, name_hold: float) -> Removal:
        """End every session, detach the mailbox and hold the name for `name_hold` seconds, in one transaction.

        Raises the same errors as `change_password`.
        """

    def create_session(self, account: StoredAccount, token_hash: bytes, label: str = "") -> StoredSession:
        """Open a session. Its cursor starts at the furthest cursor of the account.

        If the account then has more than MAX_SESSIONS, those end that were not used for longest. Tokens do not count.

        Raises WrongCredentials if the account is gone or disabled, or if the stored hash is no longer the one in
        `account`.
        """

    def create_token(
        self, session: StoredSession, token_hash: bytes, label: str, limits: TokenLimits, lifetime: int
    ) -> StoredSession:
        """Make a token of the session's account. It expires after `lifetime` seconds of store time, or never if that
        is 0. Its cursor starts at the furthest cursor of the account.

        If the account has a live token of this hash with the same label and limits, this returns that token. Raises
        SessionInvalid if the session has ended, or if another session or token has this hash. Raises RecipientNotFound
        if no account has the name of the recipient in `limits`. Raises TokenNameTaken and LimitReached.
        """

    def session(self, token_hash: bytes) -> StoredSession | None:
        """Find a live session by the hash of its token. After any caller has learned that it ended, it is not found."""

    def cached_session(self, token_hash: bytes) -> StoredSession | None:
        """Return a live session if it is cached, without waiting for the database."""

    def watch(self, changed: Changed) -> None:
        """After each commit, call `changed` with the ids of mailboxes that grew, or whose sessions moved or ended."""

    def watch_deletions(self, deleted: Deleted) -> None:
        """Call `deleted` after each commit that deleted an account. `prune_deleted` then has work."""

    def watch_availability(self, available: Available) -> None:
        """Call `available` within a second after the store finds that its data is out of reach, or is back.

        While its data is out of reach, the store raises StoreUnavailable for each change and for each read that its
        caches cannot answer.
        """

    def expire_sessions(self, unused_since: int, limit: int) -> int:
        """End up to `limit` sessions whose last use was before the store time `unused_since`. Return how many ended.

        No token ends for want of use.
        """

    def expire_tokens(self, through: int, limit: int) -> int:
        """End up to `limit` tokens that expire at the store time `through` or earlier. Return how many ended."""

    def touch_session(self, session: StoredSession) -> None:
        """Note that the session is used now."""

    def end_session(self, session: StoredSession) -> None:
        """End the session. If it has ended already, this does nothing."""

    def sessions_of(self, session: StoredSession, after: int, limit: int) -> list[SessionEntry]:
        """Read up to `limit` live sessions of the session's account whose ids follow `after`, in their order.

        Raises SessionInvalid if the session has ended.
        """

    def end_session_of(self, session: StoredSession, session_id: int) -> None:
        """End a session of the session's account. Raises SessionInvalid if the session that asks has ended.

        Raises SessionNotFound if the account has no live session of this id.
        """

    def set_block(self, session: StoredSession, username: str, *, is_blocked: bool) -> None:
        """Block an account for the session's account, or unblock it. If it is so already, nothing changes.

        From the commit on, `append_later` stores no new message of a blocked account in this mailbox. A block ends when
        either account is deleted. Raises SessionInvalid if the session has ended. Raises RecipientNotFound if no
        account has the name. Raises LimitReached if the account blocks `MAX_BLOCKS` others already.
        """

    def blocked_usernames(self, session: StoredSession, after: str, limit: int) -> bytes:
        """Read up to `limit` names of the accounts that the session's account blocks, as `usernames` does.

        Raises SessionInvalid if the session has ended.
        """

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        """Append messages to their recipients' mailboxes, in order, in one transaction. Return at once.

        The store calls `settle` once, on any thread and perhaps before this returns, with an outcome for each message:
        a receipt, SessionInvalid, NotPermitted, RecipientNotFound, Blocked or MessageIdReused. If the sender has used
        a message's id in that mailbox before, the message gets the first receipt again, or MessageIdReused if its
        digest differs. This holds also if the recipient has blocked the sender since. If the store itself fails, each
        outcome is StoreUnavailable, StoreFull, DeadlineExceeded or Internal.

        If such a failure hits a message in a lane, the lane fails, and the outcome is the result of `Lane.fail`. The
        store does the appends in the order of the calls. If a message's lane has failed by then, the store does not
        store the message, and its outcome is the lane's error.
        """

    def after(self, session: StoredSession, sequence: int | None, max_messages: int, max_size: int) -> Batch:
        """Read the session's mailbox after `sequence`, up to `max_messages` or `max_size` bytes of content.

        If `sequence` is None, this reads after the session's cursor, which the batch contains. It returns the first
        message even if that is larger than `max_size`, unless `max_messages` is 0. Raises SessionInvalid if the session
        has ended. Raises CursorPastEnd.
        """

    def cached_messages(self, session: StoredSession, sequence: int) -> Sequence[Message]:
        """Return the cached messages that follow `sequence`. An empty result does not mean that there are none.

        This does not ask the database, and does not check whether the session is still live.
        """

    def acknowledge(self, session: StoredSession, through: int) -> None:
        """Move the session's cursor up to `through`. If the cursor is there already or further, nothing changes.

        Raises SessionInvalid, CursorPastEnd.
        """

    def remove_old(self, retain: float | None, start: int = 0) -> RetentionStep:
        """Make one small step of a walk over all mailboxes, and remove messages that need not be kept any longer.

        A message is removed if it was accepted more than `retain` seconds ago and some session of its account has
        acknowledged it. If `retain` is None, a message of any age is removed if every live session has acknowledged it,
        and some session ever did. Only the oldest messages of a mailbox are removed, so a message that must stay keeps
        all messages after it. The store keeps the ids of removed messages for ever.

        `start` is 0 for the first step, and for each later step the `go_on_from` of the step before. A step removes at
        most 250 messages or 4 MiB (at least one message), so other callers wait no longer than that takes.
        """

    def prune_deleted(self) -> bool:
        """Remove a few of the rows that deleted accounts left. Return whether there may be more.

        The store never prunes by itself. After a step fails, the next call tries it again.
        """

    def close(self) -> None:
        """Finish the work in progress, and release all files and threads."""
