"""The booth: every action of chatbooth, once, for all transports."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence

from chatbooth_grpc.booth.actions import LISTS
from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.call_log import note_account
from chatbooth_grpc.booth.credentials import Passwords, hash_token, new_token
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    SessionInvalid,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.booth.listing import Listing
from chatbooth_grpc.booth.model import (
    TOUCHES_PER_EXPIRY,
    ContentKind,
    Delivery,
    Limits,
    OutgoingMessage,
    Page,
    Receipt,
    Removal,
    Session,
)
from chatbooth_grpc.booth.resuming import opening
from chatbooth_grpc.booth.rules import (
    MAX_PASSWORD_SIZE,
    check_outgoing,
    check_token,
    checked_new_password,
    folded_prefix,
    folded_username,
    normal_password,
    problem_of_unknown,
)
from chatbooth_grpc.booth.store import Lane, NewMessage, Settle, Store, StoredAccount, StoredSession

LISTS_AT_ONCE = 2
LISTS_WAITING = 64
"""A list may take a second of a core, so only a few are looked through at once."""

DEFAULT_BATCH = 256
MAX_BATCH = 1_000
MAX_SENT_TOGETHER = 1_000
MAX_BATCH_SIZE = 1 << 20
"""Where a batch of messages is cut, in bytes of content."""


_DIGEST_MARKS: dict[int, bytes] = {kind: b"kind%d" % kind for kind in ContentKind}

_log = logging.getLogger(__name__)


class Booth:
    """Performs the actions, on a store. Safe to call from many threads.

    A `token` is the 16 bytes of a session's secret; an action that takes one raises SessionInvalid for any that is
    not of a live session. Any action may raise the store's StoreUnavailable, StoreFull and DeadlineExceeded, and
    those that take a password TooBusy.
    """

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits | None = None,
        passwords: Passwords | None = None,
        listens: Callable[[StoredSession], bool] = lambda _session: False,
    ) -> None:
        """`listens` says whether a session has an open stream, which is use."""
        self._store = store
        self._listens = listens
        self._limits = limits or Limits()
        self._passwords = passwords or Passwords()
        self._unnoted = LastingState(_log, "the use of sessions is not noted", "the use of sessions is noted again")
        self._unrenewed = LastingState(_log, "hashes of passwords are not renewed", "hashes of passwords are renewed")
        self._lists = Bulkhead(LISTS, working=LISTS_AT_ONCE, waiting=LISTS_WAITING)

    # Accounts and sessions

    def sign_up(self, username: str, password: str, token: bytes = b"") -> Session:
        """Make an account and its first session, which has the `token` that the client drew, if it drew one.

        Raises InvalidUsername, InvalidPassword, UsernameTaken; SessionInvalid: it is no token, or another session's.
        """
        if token:
            check_token(token)
        username = folded_username(username)
        note_account(username)
        normal = checked_new_password(password, "password")
        if self._store.account(username) is not None:
            raise UsernameTaken(username)
        password_hash = self._passwords.hash(normal)
        token = token or new_token()
        stored = self._store.create_account(username, password_hash, hash_token(token))
        return self._session_for(stored, token)

    def log_in(self, username: str, password: str, token: bytes = b"") -> Session:
        """Open another session, which has the `token` that the client drew, if it drew one.

        A repeat with the token of a live session of the account returns that session. Raises InvalidUsername,
        WrongCredentials; SessionInvalid: it is no token, or one of another account's session.
        """
        if token:
            check_token(token)
        username = folded_username(username)
        note_account(username)
        while True:
            account = self._store.account(username)
            if not self._matches(password, account) or account is None:
                raise WrongCredentials
            token = token or new_token()
            try:
                stored = self._store.create_session(account, hash_token(token))
            except WrongCredentials:
                continue  # the account changed while its password was compared: compare with what it is now
            self._improve_hash(account, password)
            return self._session_for(stored, token)

    def log_out(self, token: bytes) -> None:
        """End the session."""
        self._store.end_session(self.authenticated(token))

    def change_password(self, token: bytes, old_password: str, new_password: str) -> int:
        """Change the password; return how many other sessions that ended. Raises InvalidPassword, WrongPassword."""
        session = self.authenticated(token)
        normal = checked_new_password(new_password, "new_password")
        while True:
            account = self._verified_account(session, old_password)
            try:
                return self._store.change_password(session, account, self._passwords.hash(normal))
            except WrongPassword:
                continue  # as in log_in

    def delete(self, token: bytes, password: str) -> Removal:
        """Delete the account, at once and whole; return what went with it. Raises WrongPassword."""
        session = self.authenticated(token)
        while True:
            account = self._verified_account(session, password)
            try:
                return self._store.delete_account(session, account, self._limits.name_hold)
            except WrongPassword:
                continue  # as in log_in

    # Messages

    def list(self, token: bytes, pattern: str, prefix: str, page_size: int, page_token: str) -> Page:
        """Return a page of the usernames that `pattern` finds. `page_size` 0: the default.

        Raises InvalidPattern, InvalidPrefix, InvalidPageToken.
        """
        self.authenticated(token)
        prefix = folded_prefix(prefix)
        listing = Listing(pattern, prefix)
        with self._lists.turn():
            return listing.page(lambda after, limit: self._store.usernames(prefix, after, limit), page_size, page_token)

    def send(self, token: bytes, message: OutgoingMessage) -> Receipt:
        """Store a message in its recipient's mailbox.

        Raises RecipientNotFound, MessageIdReused, InvalidMessageId, InvalidUsername, UnknownContentKind, EmptyText,
        TextTooLong.
        """
        [outcome] = self.send_many([(token, message)])
        if isinstance(outcome, ChatboothError):
            raise outcome
        return outcome

    def session_at_hand(self, token: bytes) -> StoredSession | None:
        """Return what `authenticated` returns if it does so without waiting for the disk."""
        session = self._store.session_at_hand(hash_token(token))
        if session is None or self._is_to_be_touched(session):
            return None
        note_account(session.username)
        return session

    def checked(
        self, session: StoredSession, message: OutgoingMessage, lane: Lane | None = None
    ) -> NewMessage | ChatboothError:
        """Return a message of an authenticated session as the store takes it, or what `send` would raise for it."""
        try:
            check_outgoing(message, self._limits.text_size)
            recipient = folded_username(message.recipient, "recipient")
        except ChatboothError as refusal:
            return refusal
        if recipient != message.recipient:
            message = OutgoingMessage(recipient, message.message_id, message.content, message.kind)
        return NewMessage(session, message, _digest(message), lane)

    def send_later(self, checked: Sequence[NewMessage | ChatboothError], settle: Settle) -> None:
        """Store what was checked, in one commit, but return at once; `settle` is told once what came of it.

        That is an outcome for each, as `send_many` returns them, or what befell the store. It may be told on this
        thread, or on one that others wait for, so it must not block.
        """
        fit = [new for new in checked if isinstance(new, NewMessage)]
        if not fit:
            settle(_merged(checked, ()))
            return

        def stored(outcomes: Sequence[Receipt | ChatboothError] | ChatboothError) -> None:
            settle(outcomes if isinstance(outcomes, ChatboothError) else _merged(checked, outcomes))

        try:
            self._store.append_later(fit, settle if len(fit) == len(checked) else stored)
        except ChatboothError as error:
            for new in fit:
                if new.lane is not None:
                    new.lane.error = error
            settle(error)

    def send_many(self, sends: Sequence[tuple[bytes, OutgoingMessage]]) -> Sequence[Receipt | ChatboothError]:
        """Store messages, each on behalf of a token's session, in one commit; return an outcome for each, in order.

        A message that is refused fails alone; what `send` raises for it stands in its place. Raises only what befalls
        the store.
        """
        checked = self._checked(sends)
        fit = [new for new in checked if isinstance(new, NewMessage)]
        return _merged(checked, self._store.append(fit) if fit else ())

    def deliver(
        self,
        token: bytes,
        acknowledge_through: int = 0,
        after: int | None = None,
        max_messages: int = 0,
        epoch: bytes = b"",
    ) -> Delivery:
        """Acknowledge up to a sequence of `epoch`, then return the next messages after the cursor, or after `after`.

        `max_messages` 0: the default. `epoch` is as in `acknowledge`. Raises CursorPastEnd.
        """
        session = self.authenticated(token)
        self._acknowledge(session, acknowledge_through, epoch)
        wanted = min(max_messages or DEFAULT_BATCH, MAX_BATCH)
        batch = self._store.after(session, after, wanted, MAX_BATCH_SIZE)
        start = batch.cursor if after is None else after
        last_delivered = batch.messages[-1].sequence if batch.messages else batch.last_sequence
        return Delivery(
            opening(self._store.epoch, session, start, batch),
            batch.messages,
            last_delivered < batch.last_sequence,
        )

    def acknowledge(self, token: bytes, through: int, epoch: bytes = b"") -> None:
        """Advance the session's cursor up to `through`, a sequence of `epoch`. Raises CursorPastEnd.

        In a store of another epoch the sequence is another message's, so the cursor stays. An empty epoch is any.
        """
        self._acknowledge(self.authenticated(token), through, epoch)

    # What the actions share

    def _acknowledge(self, session: StoredSession, through: int, epoch: bytes) -> None:
        if through > session.cursor and epoch in (b"", self._store.epoch):
            self._store.acknowledge(session, through)

    def _session_or_refusal(self, token: bytes) -> StoredSession | ChatboothError:
        try:
            return self.authenticated(token)
        except SessionInvalid as refusal:  # what befalls the store befalls all
            return refusal

    def _checked(self, sends: Sequence[tuple[bytes, OutgoingMessage]]) -> Sequence[NewMessage | ChatboothError]:
        sessions = {token: self._session_or_refusal(token) for token in {token for token, _ in sends}}
        checked: list[NewMessage | ChatboothError] = []
        for token, message in sends:
            session = sessions[token]
            checked.append(session if isinstance(session, ChatboothError) else self.checked(session, message))
        return checked

    def authenticated(self, token: bytes) -> StoredSession:
        """Return the live session of a token, and note now and then that it is in use. Raises SessionInvalid."""
        check_token(token)
        session = self._store.session(hash_token(token))
        if session is None:
            raise SessionInvalid(problem_of_unknown(token))
        note_account(session.username)
        if self._is_to_be_touched(session):
            age = self._store.clock.age(session.used_time) / 1_000_000
            if age > self._limits.session_expiry and not self._listens(session):
                raise SessionInvalid
            self._touch(session)
        return session

    def _is_to_be_touched(self, session: StoredSession) -> bool:
        # Time that is in doubt counts here: once it is sure, this use must stand after it.
        since_noted = (self._store.clock.now() - session.used_time) / 1_000_000
        return since_noted > self._limits.session_expiry / TOUCHES_PER_EXPIRY

    def _touch(self, session: StoredSession) -> None:
        try:
            self._store.touch_session(session)
        except ChatboothError as error:  # what was asked for must not fail for this: the next call notes it
            self._unnoted.refused(error.reason)
        else:
            self._unnoted.worked()

    def _session_for(self, stored: StoredSession, token: bytes) -> Session:
        return Session(token, stored.account_id, stored.username, self._store.epoch)

    def _verified_account(self, session: StoredSession, password: str) -> StoredAccount:
        account = self._store.account(session.username)
        if account is None or account.account_id != session.account_id:
            raise SessionInvalid
        if not self._matches(password, account):
            raise WrongPassword
        return account

    def _matches(self, password: str, account: StoredAccount | None) -> bool:
        normal = normal_password(password)
        if len(normal) > MAX_PASSWORD_SIZE:
            return False
        return self._passwords.matches(normal, account.password_hash if account else None)

    def _improve_hash(self, account: StoredAccount, password: str) -> None:
        if not self._passwords.is_outdated(account.password_hash):
            return
        try:
            self._store.replace_password_hash(account, self._passwords.hash(normal_password(password)))
        except ChatboothError as error:  # the log-in stands; the next one improves it
            self._unrenewed.refused(error.reason)
        else:
            self._unrenewed.worked()


def _merged(
    checked: Sequence[NewMessage | ChatboothError], stored: Sequence[Receipt | ChatboothError]
) -> list[Receipt | ChatboothError]:
    """Return the outcomes of all that were checked, from those of the ones that were fit to be stored."""
    outcomes = iter(stored)
    return [next(outcomes) if isinstance(new, NewMessage) else new for new in checked]


def _digest(message: OutgoingMessage) -> bytes:
    """Return 16 bytes that stand for a message's content, to tell a repeat from a reuse of its id."""
    return hashlib.blake2b(message.content, digest_size=16, person=_DIGEST_MARKS[message.kind]).digest()
