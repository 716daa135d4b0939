"""The public client of one server, and of one account once it has a session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, overload

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import (
    AcknowledgeRequest,
    ChangePasswordRequest,
    DeleteRequest,
    DeliverRequest,
    ListRequest,
    LogInRequest,
    Reply,
    Request,
    UnaryAction,
)
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    SessionInvalid,
    Unavailable,
)
from chatbooth_grpc.booth.model import Delivery, OutgoingMessage, Page, Receipt, Removal, Session
from chatbooth_grpc.booth.rules import TOKEN_SIZE, check_token, folded_username
from chatbooth_grpc.booth.unicode import check_unicode
from chatbooth_grpc.client.library.account_calls import AccountCalls
from chatbooth_grpc.client.library.inbox import Batches, Inbox
from chatbooth_grpc.client.library.opening import open_transport
from chatbooth_grpc.client.library.outgoing import Sendable, given_message
from chatbooth_grpc.client.library.ranges import MAX_COUNT, MAX_SEQUENCE, check_range
from chatbooth_grpc.client.library.retrying import Retrying
from chatbooth_grpc.client.library.security import DEFAULT_SECURITY, Security
from chatbooth_grpc.client.library.tokens import session_of_token
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.client.state.forks import OneProcess
from chatbooth_grpc.server_address import normal_address, protected_address

if TYPE_CHECKING:
    from chatbooth_grpc.client.library.listening import Listening, Lost, Resumed
    from chatbooth_grpc.client.state.history import Taken
    from chatbooth_grpc.client.state.kept_session import KeptSession

DEFAULT_TIMEOUT = 10.0
"""The seconds that a call may take, with all its attempts."""


class ChatClient(AccountCalls):
    """Performs the actions on a server. Many threads may call it, but not the calls that change the session.

    Every call answers or raises a ChatboothError within `timeout` seconds. Calls that may be repeated without harm
    (`list_page`, `send`, `deliver`, `acknowledge`, `block`, `unblock`, `blocks`, `sessions`) are tried again within
    that time, with backoff, when they fail with Unavailable (STORE_UNAVAILABLE, SERVER_DRAINING, SERVER_UNREACHABLE),
    DEADLINE_EXCEEDED, TOO_BUSY or RATE_LIMITED. STORE_FULL and INTERNAL are raised at once. Another try may succeed
    later. After Unavailable, DEADLINE_EXCEEDED or INTERNAL a call may have taken effect. After other errors it has not.

    `session` is the Session that calls act for. If it is None, calls that need one raise SessionInvalid.

    Sequences (`after`, `through`, `acknowledge_through`) are from 0, before the first message, to 2^64 - 1. `after`
    None means the session's cursor. Numbers of messages or names (`max_messages`, `page_size`) are from 1 to
    2^32 - 1. 0 means the server's default. A server may give fewer than it is asked for. An `epoch` is 16 bytes.

    Wrong arguments raise an error before anything is sent. An argument of the wrong type raises TypeError. A number out
    of range raises ValueError. A string that is not well-formed Unicode, since it has lone surrogates, raises
    MalformedRequest. In the child of a fork every call raises UsedAfterFork, a RuntimeError, and `close` does nothing:
    open a client in each process.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        session: Session | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retrying: Retrying | None = None,
    ) -> None:
        self.session = session
        self.timeout = timeout
        self._opened = transport
        self._process = OneProcess()
        self._retrying = retrying or Retrying()
        self._kept: KeptSession | None = None

    @classmethod
    def connect(
        cls,
        server: str,
        *,
        session: Session | None = None,
        token: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        on_retry: Callable[[ChatboothError, float], None] | None = None,
        security: Security = DEFAULT_SECURITY,
    ) -> ChatClient:
        """Return a client of the server at `HOST[:PORT]`. It connects at its first call.

        It speaks gRPC, or the wire protocol to `wire://HOST[:PORT]`. It uses TLS with every other machine, unless
        `security` allows plain text. `grpc+tls://HOST[:PORT]` and `wire+tls://HOST[:PORT]` use it on this machine too,
        and `unix:PATH` and `wire+unix:PATH` name a socket. Calls raise NotTrusted if the server's certificate is not
        one that `security` trusts.

        `session` is one that `sign_up` or `log_in` returned before. A program that has a token gives its text instead,
        `token`: 32 hex digits. `on_retry` is called with each failure that another attempt follows, and with the
        seconds until that attempt. Raises ValueError if `server` is not an address, and SessionInvalid if `token` is
        not a token's text.
        """
        address = protected_address(normal_address(server), is_insecure=security.insecure)
        transport = open_transport(address, security)
        session = session if token is None else session_of_token(token)
        return cls(transport, session=session, timeout=timeout, retrying=Retrying(on_retry=on_retry))

    @classmethod
    def resume(
        cls,
        server: str,
        username: str,
        password: str,
        *,
        state: str | os.PathLike[str],
        timeout: float = DEFAULT_TIMEOUT,
        on_retry: Callable[[ChatboothError, float], None] | None = None,
        security: Security = DEFAULT_SECURITY,
    ) -> ChatClient:
        """Return a client that goes on where the last program with the file `state` stopped, however it stopped.

        The file keeps the session and the place in the mailbox, for the account `username` on `server` alone. If the
        file is absent or its session has ended, this logs in with `password`. `listen` and `messages` start at the kept
        place, and keep each new place before they acknowledge. Only its owner can read the file, since it has the
        session's token. A second file, with `.lock` at its end, lets one program at a time use it.

        `timeout`, `on_retry` and `security` are those of `connect`. Raises as `connect` and `log_in`. Raises OSError if
        the file cannot be used, or if another program uses it. Raises ValueError if it is damaged, or of another
        account or server. Raises PlainTextRefused if the kept session is one over TLS, and `server` is without TLS.
        """
        # Most programs do not need this module.
        from chatbooth_grpc.client.state.kept_session import KeptSession

        check_unicode(username=username, password=password)
        client = cls.connect(server, timeout=timeout, on_retry=on_retry, security=security)
        address = protected_address(normal_address(server), is_insecure=security.insecure)
        try:
            client._kept = KeptSession(Path(state), address, folded_username(username))
            client._go_on(username, password)
        except BaseException:
            client.close()
            raise
        return client

    # Accounts and sessions

    def sign_up(self, username: str, password: str, *, label: str = "", invite: str = "") -> Session:
        """Make an account and act for it.

        Raises SignUpClosed, InvalidUsername, InvalidPassword, InvalidLabel, UsernameReserved, InviteRequired,
        InviteRefused, UsernameTaken. `label` names the session in the list of the account's sessions: at most 64
        printable characters. `invite` is the code that some servers ask for, in any case, with or without dashes.

        If the reply is lost, this logs in with the same password, within another `timeout`. That succeeds if the
        account was made. Otherwise the first failure is raised. There is one session in the end.
        """
        check_unicode(username=username, password=password, label=label, invite=invite)
        request = LogInRequest(username, password, os.urandom(TOKEN_SIZE), label, invite)
        try:
            self.session = self._transport.call(actions.SIGN_UP, b"", request, self.timeout)
        except (Unavailable, DeadlineExceeded) as lost:
            self.session = self._log_in_after(lost, request)
        return self.session

    def log_in(self, username: str, password: str, *, label: str = "") -> Session:
        """Open a session and act for it. `label` is as in `sign_up`.

        Raises InvalidUsername, InvalidLabel, WrongCredentials, AccountDisabled.
        """
        check_unicode(username=username, password=password, label=label)
        request = LogInRequest(username, password, label=label)
        self.session = self._transport.call(actions.LOG_IN, b"", request, self.timeout)
        return self.session

    def log_out(self) -> None:
        """End the session."""
        self._call(actions.LOG_OUT, None)
        self.session = None

    def change_password(self, old_password: str, new_password: str) -> int:
        """Change the password. Return how many other sessions ended. Raises InvalidPassword, WrongPassword."""
        check_unicode(old_password=old_password, new_password=new_password)
        return self._call(actions.CHANGE_PASSWORD, ChangePasswordRequest(old_password, new_password))

    def delete(self, password: str) -> Removal:
        """Delete the account, at once and whole. Return what was deleted with it. Raises WrongPassword."""
        check_unicode(password=password)
        removal = self._call(actions.DELETE, DeleteRequest(password))
        self.session = None
        return removal

    # Messages

    def list(self, pattern: str = "", *, prefix: str = "", page_size: int = 0) -> Iterator[str]:
        """Yield the usernames that the RE2 `pattern` finds, sorted. Fetches a page at a time. Raises as `list_page`."""
        page_token = ""
        while True:
            page = self.list_page(pattern, prefix=prefix, page_size=page_size, page_token=page_token)
            yield from page.usernames
            page_token = page.next_page_token
            if not page_token:
                return

    def list_page(self, pattern: str = "", *, prefix: str = "", page_size: int = 0, page_token: str = "") -> Page:
        """Return one page of usernames.

        `page_size` 0 means the server's default. An empty `page_token` means the first page. Raises InvalidPattern,
        InvalidPrefix, InvalidPageToken.
        """
        check_unicode(pattern=pattern, prefix=prefix, page_token=page_token)
        check_range(MAX_COUNT, page_size=page_size)
        return self._repeat(actions.LIST, ListRequest(pattern, prefix, page_size, page_token))

    @overload
    def send(self, recipient: OutgoingMessage, /) -> Receipt: ...

    @overload
    def send(self, recipient: str, text: str, *, message_id: bytes | None = None) -> Receipt: ...

    def send(
        self, recipient: str | OutgoingMessage, text: str | None = None, *, message_id: bytes | None = None
    ) -> Receipt:
        """Store a message in the recipient's mailbox. It is stored once, however often the client tries.

        Takes an OutgoingMessage, or the `recipient`'s name and the `text`, which may have a `message_id`. To repeat a
        message later, after a failure whose outcome is unknown, send it under the same id: 16 bytes, not all zero, made
        with `new_message_id` before the first try. Raises RecipientNotFound, Blocked, MessageIdReused,
        InvalidMessageId, InvalidUsername, EmptyText, TextTooLong, RequestTooLarge.
        """
        message = given_message(recipient, text, message_id)
        token = self._token()
        return self._retrying.call(
            lambda left: self._transport.send(token, message, timeout=left), timeout=self.timeout
        )

    def send_many(
        self, messages: Iterable[Sendable], *, on_retry: Callable[[ChatboothError, float], None] | None = None
    ) -> Iterator[tuple[OutgoingMessage, Receipt | ChatboothError]]:
        """Store messages in their order, and yield each with its outcome: a receipt, or the error of `send`.

        Each message is an OutgoingMessage, or a tuple of a recipient and a text, which gets a new id. Takes messages a
        few batches before it yields them. A connection that is lost is made again, and `on_retry` is called with each
        failure and the seconds until the next try. When nothing makes progress for `timeout` seconds, raises
        Unavailable or DeadlineExceeded. Then repeat the messages without an outcome under the same ids. Raises
        SessionInvalid.
        """
        # Most programs do not need this module.
        from chatbooth_grpc.client.library.sending_many import send_many

        return send_many(self._transport, self._token(), messages, patience=self.timeout, on_retry=on_retry)

    def deliver(
        self,
        *,
        acknowledge_through: int = 0,
        after: int | None = None,
        max_messages: int = 0,
        epoch: bytes | None = None,
    ) -> Delivery:
        """Acknowledge up to a sequence, then return the next messages after the cursor, or after `after`.

        `max_messages` 0 means the server's default. `epoch` is the one in which `acknowledge_through` counts. If the
        server has another epoch, since its store was restored from a backup, it acknowledges nothing. Raises
        CursorPastEnd.
        """
        check_range(MAX_SEQUENCE, acknowledge_through=acknowledge_through, after=0 if after is None else after)
        check_range(MAX_COUNT, max_messages=max_messages)
        return self._repeat(actions.DELIVER, DeliverRequest(acknowledge_through, after, max_messages, epoch or b""))

    def acknowledge(self, through: int, *, epoch: bytes | None = None) -> None:
        """Advance the session's cursor. Messages up to `through` are not delivered to it again. Raises CursorPastEnd.

        `epoch` is the one in which `through` counts, as in `deliver`.
        """
        check_range(MAX_SEQUENCE, through=through)
        self._repeat(actions.ACKNOWLEDGE, AcknowledgeRequest(through, epoch or b""))

    def batches(self, *, after: int | None = None, max_messages: int = 0, keep: bool = False) -> Batches:
        """Iterate over the messages that wait, in batches.

        Asking for a batch acknowledges the one before, unless `keep`.
        """
        return Batches(self.deliver, self.acknowledge, after=after, max_messages=max_messages, keep=keep)

    def messages(self, *, after: int | None = None, epoch: bytes | None = None) -> Inbox:
        """Iterate over the messages that wait, and acknowledge those that were taken: see `Inbox`.

        `after` and `epoch` are those of the message taken last, if the application keeps them. A client that `resume`
        returned keeps them by itself, here as in `listen`.
        """
        check_range(MAX_SEQUENCE, after=0 if after is None else after)
        after, epoch, on_taken = self._place(after, epoch)
        batches = Batches(self.deliver, self.acknowledge, after=after, epoch=epoch, strict=False, on_taken=on_taken)
        return Inbox(batches)

    def listen(
        self,
        *,
        after: int | None = None,
        epoch: bytes | None = None,
        on_lost: Lost | None = None,
        on_resumed: Resumed | None = None,
    ) -> Listening:
        """Iterate over the messages that wait and those that come, for as long as the session lives: see `Listening`.

        `on_lost` is called with each failure and the seconds until the next try, `on_resumed` with each Opening.

        A client that `resume` returned starts after the last messages that the run before had taken. Messages that the
        run before had answered, but not yet taken, come again: answer under the id that `reply_id` returns. Another
        application may have effects that it must not repeat even if it is killed. It keeps the last sequence together
        with the effect, and passes it as `after` the next time, with the `epoch` in which it counts. A Restored tells
        it to forget the sequence, and which epoch counts from then on.
        """
        from chatbooth_grpc.client.library.listening import Listening

        check_range(MAX_SEQUENCE, after=0 if after is None else after)
        after, epoch, on_taken = self._place(after, epoch)
        return Listening(
            self._transport,
            self._token(),
            after=after,
            epoch=epoch,
            on_lost=on_lost,
            on_resumed=on_resumed,
            on_taken=on_taken,
        )

    def close(self) -> None:
        """Close the connection, and the file of a client that `resume` returned. The session stays valid."""
        if not self._process.is_here:
            return
        self._opened.close()
        if self._kept is not None:
            self._kept.close()

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _transport(self) -> Transport:
        self._process.check()
        return self._opened

    def _go_on(self, username: str, password: str) -> None:
        """Act for the kept session, or for a new one if it has ended."""
        # `resume` has opened it.
        assert self._kept is not None  # noqa: S101
        self.session = self._kept.session
        if self.session is not None:
            try:
                # This acknowledges nothing, but it shows whether the session is alive.
                self.acknowledge(0)
            except SessionInvalid:
                self.session = None
        if self.session is None:
            self.session = self._log_in_once(LogInRequest(username, password, self._kept.log_in_token()))
            self._kept.keep(self.session)

    def _place(self, after: int | None, epoch: bytes | None) -> tuple[int | None, bytes | None, Taken | None]:
        """Return the sequence and epoch to start after, and the callback that keeps the place in a file of `resume`."""
        if self._kept is None or self.session is None or not self._kept.is_of(self.session.token):
            return after, epoch, None
        if after is None:
            after, epoch = self._kept.place
        return after, epoch, self._kept.keep_place

    def _call(self, action: UnaryAction[Request, Reply], request: Request) -> Reply:
        """Perform an action of the session, once."""
        return self._transport.call(action, self._token(), request, self.timeout)

    def _repeat(self, action: UnaryAction[Request, Reply], request: Request) -> Reply:
        """Perform an action of the session, which may be repeated without harm."""
        attempt = partial(self._transport.call, action, self._token(), request)
        return self._retrying.call(attempt, timeout=self.timeout)

    def _token(self) -> bytes:
        if self.session is None:
            raise SessionInvalid("MISSING")
        check_token(self.session.token)
        return self.session.token

    def _log_in_after(self, lost: ChatboothError, request: LogInRequest) -> Session:
        try:
            return self._log_in_once(request)
        except ChatboothError:
            raise lost from None

    def _log_in_once(self, request: LogInRequest) -> Session:
        """Log in. This may be repeated, since repeats with one token open one session."""
        attempt = partial(self._transport.call, actions.LOG_IN, b"", request)
        return self._retrying.call(attempt, timeout=self.timeout)
