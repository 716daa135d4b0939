"""The booth: every action of chatbooth, once, for all transports."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import ACTIONS, LISTS, Reply, Request, UnaryAction
from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.call_log import note_account
from chatbooth_grpc.booth.credentials import Passwords, hash_token, new_token
from chatbooth_grpc.booth.errors import (
    AccountDisabled,
    BlocksOneself,
    ChatboothError,
    InvalidTokenLimits,
    InviteRefused,
    InviteRequired,
    SessionInvalid,
    SignUpClosed,
    UsernameReserved,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.fair_shares import FairShares
from chatbooth_grpc.booth.invites import hash_code
from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.booth.listing import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Listing, decode_place, encode_place
from chatbooth_grpc.booth.model import (
    TOUCHES_PER_EXPIRY,
    Delivery,
    Limits,
    NewToken,
    OutgoingMessage,
    Page,
    Receipt,
    Removal,
    Session,
    SessionPage,
    SignUpPolicy,
)
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.resuming import opening
from chatbooth_grpc.booth.rules import (
    MAX_PASSWORD_SIZE,
    check_label,
    check_token,
    checked_limits,
    checked_new_password,
    folded_prefix,
    folded_username,
    normal_password,
    problem_of_unknown,
)
from chatbooth_grpc.booth.sending import Sending, wait_for
from chatbooth_grpc.booth.store import Store, StoredAccount, StoredSession
from chatbooth_grpc.booth.throttles import Throttles
from chatbooth_grpc.booth.tokens import MAX_LIFETIME, Right, StoredLimits, TokenLimits

# A search of the list may take a second of a core, so only a few run at once.
LISTS_AT_ONCE = 2
LISTS_WAITING = 64

DEFAULT_BATCH = 256
MAX_BATCH = 1_000
MAX_SENT_TOGETHER = 1_000
MAX_BATCH_SIZE = 1 << 20
"""The most bytes of content in a batch of messages."""


_log = logging.getLogger(__name__)


class Booth:
    """Performs the actions on a store. Many threads may call it.

    A `token` is the 16 bytes of a session's secret. An action that takes a token raises SessionInvalid if no live
    session has that token. Any action may raise the store's StoreUnavailable, StoreFull and DeadlineExceeded. An action
    that takes a password may also raise TooBusy and RateLimited.
    """

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits | None = None,
        passwords: Passwords | None = None,
        listens: Callable[[StoredSession], bool] = lambda _session: False,
        observer: Observer | None = None,
        throttles: Throttles | None = None,
        shares: FairShares | None = None,
    ) -> None:
        """`listens` returns whether a session has an open stream. Such a session counts as used.

        Without `throttles`, nothing is limited in how often it may be done. The transports tell `observer` about the
        calls that they answer.
        """
        self._store = store
        self.observer = observer
        # The transports ask it before slow work, and for each connection.
        self.shares = shares or FairShares()
        self._listens = listens
        self._limits = limits or Limits()
        self._passwords = passwords or Passwords()
        # The transports ask it before they do anything for a request or a message.
        self.throttles = throttles or Throttles()
        self._unnoted = LastingState(_log, "the use of sessions is not noted", "the use of sessions is noted again")
        self._unrenewed = LastingState(_log, "hashes of passwords are not renewed", "hashes of passwords are renewed")
        # `now()` includes time that is in doubt. If that time counts later, a use noted now must be dated after it.
        self._clock = store.clock
        # A session's use is noted again only after this many microseconds of store time.
        self._touch_after = self._limits.session_expiry / TOUCHES_PER_EXPIRY * 1_000_000
        # Every transport sends through this.
        self.sending = Sending(store, self._limits.text_size)
        self._lists = Bulkhead(LISTS, working=LISTS_AT_ONCE, waiting=LISTS_WAITING)

    # Accounts and sessions

    def sign_up(self, username: str, password: str, token: bytes = b"", label: str = "", invite: str = "") -> Session:
        """Make an account and its first session. The session gets the client's `token`, or a new one if it is empty.

        If a live session of the account has that token already, this returns that session, so a client may repeat the
        call, and a repeat uses no invite. The invite code is looked at only if the server asks for one. It is looked at
        before the name, and both before the password is hashed.

        Raises SignUpClosed, InvalidUsername, InvalidPassword, InvalidLabel, UsernameReserved, InviteRequired,
        InviteRefused, UsernameTaken. SessionInvalid: `token` is malformed, or another session has it.
        """
        if token:
            check_token(token)
        check_label(label)
        username = folded_username(username)
        note_account(username)
        if self._limits.sign_up is SignUpPolicy.CLOSED:
            raise SignUpClosed
        if username in self._limits.reserved_names:
            raise UsernameReserved(username)
        normal = checked_new_password(password, "password")
        repeated = self._store.session(hash_token(token)) if token else None
        if repeated is not None and repeated.username == username and repeated.limits is None:
            return self._session_for(repeated, token)
        invite_hash = self._admitted_invite(invite) if self._limits.sign_up is SignUpPolicy.INVITE else None
        if self._store.account(username) is not None:
            raise UsernameTaken(username)
        if invite_hash is None:
            self.throttles.check_sign_up()
        password_hash = self._passwords.hash(normal)
        token = token or new_token()
        stored = self._store.create_account(username, password_hash, hash_token(token), label, invite_hash)
        self.throttles.prove(username)
        return self._session_for(stored, token)

    def log_in(self, username: str, password: str, token: bytes = b"", label: str = "") -> Session:
        """Open another session. The session gets the client's `token`, or a new one if it is empty.

        If a live session of the account has that token already, this returns that session, so a client may repeat the
        call. Raises InvalidUsername, InvalidLabel, WrongCredentials, AccountDisabled. SessionInvalid: `token` is
        malformed, or a session of another account has it.
        """
        if token:
            check_token(token)
        check_label(label)
        username = folded_username(username)
        note_account(username)
        self.throttles.check_log_in()
        while True:
            account = self._store.account(username)
            if not self._matches(username, password, account) or account is None:
                raise WrongCredentials
            if account.is_disabled:
                raise AccountDisabled
            token = token or new_token()
            try:
                stored = self._store.create_session(account, hash_token(token), label)
            except WrongCredentials:
                # The account changed while its password was compared, so compare with the account as it is now.
                continue
            self._improve_hash(account, password)
            return self._session_for(stored, token)

    def log_out(self, token: bytes) -> None:
        """End the session."""
        self._store.end_session(self.authenticated(token))

    def change_password(self, token: bytes, old_password: str, new_password: str) -> int:
        """Change the password, which ends the account's other sessions but no tokens. Return how many it ended.

        Raises InvalidPassword, WrongPassword.
        """
        session = self.authenticated(token)
        normal = checked_new_password(new_password, "new_password")
        while True:
            account = self._verified_account(session, old_password)
            try:
                return self._store.change_password(session, account, self._passwords.hash(normal))
            except WrongPassword:
                # As in `log_in`.
                continue

    def delete(self, token: bytes, password: str) -> Removal:
        """Delete the account, at once and whole. Return the numbers of deleted messages and ended sessions.

        Raises WrongPassword.
        """
        session = self.authenticated(token)
        while True:
            account = self._verified_account(session, password)
            try:
                return self._store.delete_account(session, account, self._limits.name_hold)
            except WrongPassword:
                # As in `log_in`.
                continue

    def list_sessions(self, token: bytes, page_size: int, page_token: str) -> SessionPage:
        """Return a page of the account's live sessions, the oldest first. Raises InvalidPageToken."""
        session = self.authenticated(token)
        wanted = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        found = self._store.sessions_of(session, decode_place(page_token), wanted + 1)
        more = encode_place(found[wanted - 1].session_id) if len(found) > wanted else ""
        return SessionPage(found[:wanted], more)

    def end_session(self, token: bytes, session_id: int) -> None:
        """End a session of the account, with its live streams. Raises SessionNotFound."""
        self._store.end_session_of(self.authenticated(token), session_id)

    def create_token(self, token: bytes, secret: bytes, label: str, limits: TokenLimits, lifetime: int = 0) -> NewToken:
        """Make a token that expires after `lifetime` seconds, or never if that is 0. `secret` is 16 bytes of its own.

        A client may repeat the call: if a live token of the account has that secret, this returns that token. Raises
        InvalidLabel, InvalidTokenLimits, InvalidUsername, RecipientNotFound, TokenNameTaken, LimitReached.
        SessionInvalid: `secret` is malformed, or another session has it.
        """
        session = self.authenticated(token)
        check_token(secret)
        check_label(label, is_required=True)
        if not 0 <= lifetime <= MAX_LIFETIME:
            raise InvalidTokenLimits("lifetime")
        made = self._store.create_token(session, hash_token(secret), label, checked_limits(limits), lifetime)
        expire_time = made.limits.expire_time if made.limits else None
        return NewToken(self._session_for(made, secret), made.session_id, expire_time or 0)

    # Blocks

    def set_block(self, token: bytes, username: str, is_blocked: bool) -> None:
        """Block another account, or unblock it. The block holds for every message that is not stored by then.

        Raises InvalidUsername, BlocksOneself, RecipientNotFound, LimitReached.
        """
        session = self.authenticated(token)
        username = folded_username(username)
        if username == session.username:
            raise BlocksOneself
        self._store.set_block(session, username, is_blocked=is_blocked)

    def list_blocks(self, token: bytes, page_size: int, page_token: str) -> Page:
        """Return a page of the names of the accounts that this one blocks, sorted. Raises InvalidPageToken."""
        session = self.authenticated(token)
        return Listing("", "").page(partial(self._store.blocked_usernames, session), page_size, page_token)

    # Messages

    def list(self, token: bytes, pattern: str, prefix: str, page_size: int, page_token: str) -> Page:
        """Return a page of the usernames that `pattern` finds. A `page_size` of 0 means the default.

        Raises InvalidPattern, InvalidPrefix, InvalidPageToken.
        """
        self.authenticated(token)
        prefix = folded_prefix(prefix)
        listing = Listing(pattern, prefix)
        with self._lists:
            return listing.page(lambda after, limit: self._store.usernames(prefix, after, limit), page_size, page_token)

    def send(self, token: bytes, message: OutgoingMessage) -> Receipt:
        """Store a message in its recipient's mailbox, and wait until it is stored. The transports do not use this.

        Raises RecipientNotFound, Blocked, MessageIdReused, InvalidMessageId, InvalidUsername, UnknownContentKind,
        EmptyText, TextTooLong, NotPermitted.
        """
        session = self.sender(token)
        if wait := self.throttles.take_sends(session.sender_key):
            raise self.throttles.sends_refused(wait)
        checked = self.sending.checked(session, message)
        [outcome] = wait_for(partial(self.sending.send_later, [checked]))
        if isinstance(outcome, ChatboothError):
            raise outcome
        return outcome

    def admitted(self, token: bytes) -> StoredSession:
        """Return the session of a message. If it is not cached, the message counts as a request of its address.

        Otherwise the message counts only for its account. Raises RateLimited, SessionInvalid.
        """
        if self.cached_session(token) is None:
            self.throttles.check_request()
        return self.sender(token)

    def cached_session(self, token: bytes) -> StoredSession | None:
        """Return the live session of a token if no wait for the disk is needed, and None otherwise."""
        session = self._store.cached_session(hash_token(token))
        if session is None or self._clock.now() - session.used_time > self._touch_after:
            return None
        if session.limits is not None and self._has_expired(session.limits):
            return None
        note_account(session.username, session.account_id)
        return session

    def deliver(
        self,
        token: bytes,
        acknowledge_through: int = 0,
        after: int | None = None,
        max_messages: int = 0,
        epoch: bytes = b"",
    ) -> Delivery:
        """Acknowledge up to a sequence of `epoch`, then return the next messages after the cursor, or after `after`.

        A `max_messages` of 0 means the default. `epoch` is as in `acknowledge`. Raises CursorPastEnd.
        """
        session = self.authenticated(token, actions.DELIVER)
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

        If the store has another epoch, the sequence belongs to another message, so the cursor stays. An empty `epoch`
        means the store's epoch.
        """
        self._acknowledge(self.authenticated(token, actions.ACKNOWLEDGE), through, epoch)

    # Shared by the actions

    def _acknowledge(self, session: StoredSession, through: int, epoch: bytes) -> None:
        if through > session.cursor and epoch in (b"", self._store.epoch):
            self._store.acknowledge(session, through)
            if self.observer is not None:
                self.observer.acknowledged(session, through)

    def authenticated(self, token: bytes, action: int | None = None) -> StoredSession:
        """Return the live session of a token, and sometimes note that it is in use. Raises SessionInvalid.

        A limited session needs the right that the row of `action` names. Without an action, every limited session is
        refused. Raises NotPermitted.
        """
        session = self.sender(token)
        if session.limits is not None:
            session.limits.check(Right.NEVER if action is None else ACTIONS[action].right)
        return session

    def sender(self, token: bytes) -> StoredSession:
        """Return the live session of a token, whatever it may do, for messages alone: `sending` checks each of them.

        Otherwise as `authenticated`.
        """
        check_token(token)
        session = self._store.session(hash_token(token))
        if session is None:
            raise SessionInvalid(problem_of_unknown(token))
        note_account(session.username, session.account_id)
        if session.limits is not None and self._has_expired(session.limits):
            raise SessionInvalid
        if self._clock.now() - session.used_time > self._touch_after:
            age = self._store.clock.age(session.used_time) / 1_000_000
            # A token does not end for want of use.
            if session.limits is None and age > self._limits.session_expiry and not self._listens(session):
                raise SessionInvalid
            self._touch(session)
        return session

    def _has_expired(self, limits: StoredLimits) -> bool:
        return limits.expire_time is not None and self._clock.age(limits.expire_time) >= 0

    def _touch(self, session: StoredSession) -> None:
        try:
            self._store.touch_session(session)
        except ChatboothError as error:
            # The action itself must not fail because of this. The next call notes the use.
            self._unnoted.refused(error.reason)
        else:
            self._unnoted.worked()

    def _admitted_invite(self, invite: str) -> bytes:
        """Return the hash of an invite code that is good. Raises InviteRequired, RateLimited, InviteRefused."""
        if not invite:
            raise InviteRequired
        # Each code counts as a sign-up before anything is said about it, so nobody can try many of them.
        self.throttles.check_sign_up()
        code_hash = hash_code(invite)
        if code_hash is None:
            raise InviteRefused
        self._store.check_invite(code_hash)
        return code_hash

    def _session_for(self, stored: StoredSession, token: bytes) -> Session:
        return Session(token, stored.account_id, stored.username, self._store.epoch)

    def _verified_account(self, session: StoredSession, password: str) -> StoredAccount:
        account = self._store.account(session.username)
        if account is None or account.account_id != session.account_id:
            raise SessionInvalid
        if not self._matches(session.username, password, account):
            raise WrongPassword
        return account

    def _matches(self, username: str, password: str, account: StoredAccount | None) -> bool:
        """Return whether a password is that of an account, which may be missing. Raises RateLimited."""
        normal = normal_password(password)
        if len(normal) > MAX_PASSWORD_SIZE:
            return False
        password_hash = account.password_hash if account else None
        return self.throttles.guess(username, partial(self._passwords.matches, normal, password_hash))

    def _improve_hash(self, account: StoredAccount, password: str) -> None:
        if not self._passwords.is_outdated(account.password_hash):
            return
        try:
            self._store.replace_password_hash(account, self._passwords.hash(normal_password(password)))
        except ChatboothError as error:
            # The log-in itself has succeeded. The next log-in renews the hash.
            self._unrenewed.refused(error.reason)
        else:
            self._unrenewed.worked()


PERFORM: dict[int, Callable[[Booth, bytes, Any], Any]] = {}
"""How the booth performs each unary action, by its number: with a session's token and a request."""


def _row(action: UnaryAction[Request, Reply], perform: Callable[[Booth, bytes, Request], Reply]) -> None:
    PERFORM[action] = perform


_row(actions.SIGN_UP, lambda booth, _, request: booth.sign_up(*request))
_row(actions.LOG_IN, lambda booth, _, request: booth.log_in(*request[:4]))
_row(actions.LOG_OUT, lambda booth, token, _: booth.log_out(token))
_row(actions.CHANGE_PASSWORD, lambda booth, token, request: booth.change_password(token, *request))
_row(actions.DELETE, lambda booth, token, request: booth.delete(token, *request))
_row(actions.SET_BLOCK, lambda booth, token, request: booth.set_block(token, *request))
_row(actions.LIST_BLOCKS, lambda booth, token, request: booth.list_blocks(token, *request))
_row(actions.LIST_SESSIONS, lambda booth, token, request: booth.list_sessions(token, *request))
_row(actions.END_SESSION, lambda booth, token, request: booth.end_session(token, *request))
_row(actions.CREATE_TOKEN, lambda booth, token, request: booth.create_token(token, *request))
_row(actions.LIST, lambda booth, token, request: booth.list(token, *request))
_row(actions.DELIVER, lambda booth, token, request: booth.deliver(token, *request))
_row(actions.ACKNOWLEDGE, lambda booth, token, request: booth.acknowledge(token, *request))
