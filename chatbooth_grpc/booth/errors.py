"""Every error that a caller may see, with its reason, its attributes and its words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chatbooth_grpc.booth.account_errors import Blocked as Blocked
from chatbooth_grpc.booth.account_errors import BlocksOneself as BlocksOneself
from chatbooth_grpc.booth.account_errors import InvalidInvite as InvalidInvite
from chatbooth_grpc.booth.account_errors import InvalidLabel as InvalidLabel
from chatbooth_grpc.booth.account_errors import InviteNotFound as InviteNotFound
from chatbooth_grpc.booth.account_errors import InviteRefused as InviteRefused
from chatbooth_grpc.booth.account_errors import InviteRequired as InviteRequired
from chatbooth_grpc.booth.account_errors import LimitReached as LimitReached
from chatbooth_grpc.booth.account_errors import SessionNotFound as SessionNotFound
from chatbooth_grpc.booth.account_errors import SignUpClosed as SignUpClosed
from chatbooth_grpc.booth.account_errors import UsernameReserved as UsernameReserved
from chatbooth_grpc.booth.causes import advice
from chatbooth_grpc.booth.error_tree import AlreadyExists as AlreadyExists
from chatbooth_grpc.booth.error_tree import ChatboothError as ChatboothError
from chatbooth_grpc.booth.error_tree import FailedPrecondition as FailedPrecondition
from chatbooth_grpc.booth.error_tree import InvalidArgument as InvalidArgument
from chatbooth_grpc.booth.error_tree import NotFound as NotFound
from chatbooth_grpc.booth.error_tree import OutOfRange as OutOfRange
from chatbooth_grpc.booth.error_tree import ResourceExhausted as ResourceExhausted
from chatbooth_grpc.booth.error_tree import Unauthenticated as Unauthenticated
from chatbooth_grpc.booth.error_tree import Unavailable as Unavailable
from chatbooth_grpc.booth.error_tree import UnknownError as UnknownError
from chatbooth_grpc.booth.token_problems import token_advice


@dataclass(eq=False)
class MalformedRequest(InvalidArgument):
    """The request's bytes cannot be decoded. A string may be ill-formed UTF-8, for example."""

    reason = "MALFORMED_REQUEST"
    field: str = ""

    def __str__(self) -> str:
        return "The request could not be read: it is not a valid encoding. Strings must be UTF-8."


@dataclass(eq=False)
class RequestTooLarge(InvalidArgument):
    """The request is larger than the server accepts."""

    reason = "REQUEST_TOO_LARGE"
    field: str = ""

    def __str__(self) -> str:
        return "The request is larger than the server accepts. Send the text in parts."


@dataclass(eq=False)
class BatchTooLarge(InvalidArgument):
    """A batch holds more messages than the limit allows."""

    reason = "BATCH_TOO_LARGE"
    limit: int
    """How many messages a batch may hold."""
    field: str = "messages"

    def __str__(self) -> str:
        return f"A batch holds at most {self.limit:,} messages. Send more batches."


@dataclass(eq=False)
class UnknownAction(InvalidArgument):
    """The server has no action with this number that a client may ask for."""

    reason = "UNKNOWN_ACTION"
    action: int
    """The number, from 0 to 255."""
    field: str = "action"

    def __str__(self) -> str:
        return f"This server knows no action {self.action}. It may be older than the client; upgrade one of them."


@dataclass(eq=False)
class UnsupportedVersion(InvalidArgument):
    """The request is of another version of the protocol than `supported`."""

    reason = "UNSUPPORTED_VERSION"
    version: int
    """The version of the request."""
    supported: int
    """The version that the server speaks."""
    field: str = "version"

    def __str__(self) -> str:
        return f"Protocol version {self.version} is not supported. Speak version {self.supported}."


@dataclass(eq=False)
class InvalidUsername(InvalidArgument):
    """The username breaks the rules for usernames."""

    reason = "INVALID_USERNAME"
    field: str = "username"

    def __str__(self) -> str:
        return (
            f"The {self.field} is not a username: use 1 to 32 of the letters a-z, the digits 0-9, '_', '.' and '-', "
            "starting with a letter or a digit."
        )


@dataclass(eq=False)
class InvalidPassword(InvalidArgument):
    """The password is shorter or longer than allowed."""

    reason = "INVALID_PASSWORD"
    field: str
    minimum: int
    """The fewest bytes of UTF-8 that a password may have."""
    maximum: int
    """The most bytes of UTF-8 that a password may have."""

    def __str__(self) -> str:
        return f"The password must have {self.minimum} to {self.maximum} bytes. Choose another."


@dataclass(eq=False)
class InvalidMessageId(InvalidArgument):
    """The message id is not 16 bytes, or all of them are zero."""

    reason = "INVALID_MESSAGE_ID"
    field: str = "message_id"

    def __str__(self) -> str:
        return "A message id is 16 bytes and not all zero. Use a UUIDv7."


@dataclass(eq=False)
class EmptyText(InvalidArgument):
    """There is no text to send."""

    reason = "EMPTY_TEXT"
    field: str = "text"

    def __str__(self) -> str:
        return "The text is empty. Write at least one character."


@dataclass(eq=False)
class TextTooLong(InvalidArgument):
    """The text has more bytes of UTF-8 than the limit."""

    reason = "TEXT_TOO_LONG"
    size: int
    """The text's size, in bytes of UTF-8."""
    limit: int
    """The largest size that the server takes, in bytes of UTF-8."""
    field: str = "text"

    def __str__(self) -> str:
        return f"The text has {self.size:,} bytes; the limit is {self.limit:,}. Send it in parts."


@dataclass(eq=False)
class UnknownContentKind(InvalidArgument):
    """The server does not know this kind of content, so it has stored nothing."""

    reason = "UNKNOWN_CONTENT_KIND"
    kind: int
    """The number of the kind."""
    field: str = "content"

    def __str__(self) -> str:
        return f"The server does not know content of kind {self.kind}. Send a text, or have the server updated."


@dataclass(eq=False)
class InvalidPattern(InvalidArgument):
    """The pattern of a list is not an RE2 pattern. `problem` says why."""

    reason = "INVALID_PATTERN"
    problem: str
    field: str = "pattern"

    def __str__(self) -> str:
        return f"The pattern cannot be used: {self.problem}. Patterns are RE2 regular expressions."


@dataclass(eq=False)
class InvalidPrefix(InvalidArgument):
    """No username can start with the prefix."""

    reason = "INVALID_PREFIX"
    field: str = "prefix"

    def __str__(self) -> str:
        return "No username can start with this prefix. Use only what a username may hold."


@dataclass(eq=False)
class InvalidPageToken(InvalidArgument):
    """The page token is not from this list."""

    reason = "INVALID_PAGE_TOKEN"
    field: str = "page_token"

    def __str__(self) -> str:
        return "The page token does not belong to this list. Start again from its first page."


@dataclass(eq=False)
class SessionInvalid(Unauthenticated):
    """The request has no right to act: its session has ended, or its token is missing or ill-formed.

    A client that does not know the attribute `problem` treats each such error as an ended session, which is right.
    """

    reason = "SESSION_INVALID"
    problem: str = ""
    """Empty: the token is well formed, but its session has ended or never was. Otherwise a code for the token's fault:
    MISSING, NOT_BEARER, WRONG_SIZE, NOT_HEX, BASE64, HEX (digits where bytes are needed), NOT_BYTES or IN_USE."""

    def attributes(self) -> dict[str, str]:
        """The problem, unless it is empty."""
        return {"problem": self.problem} if self.problem else {}

    def __str__(self) -> str:
        return token_advice(self.problem)


@dataclass(eq=False)
class WrongCredentials(Unauthenticated):
    """No account has this username and password."""

    reason = "WRONG_CREDENTIALS"

    def __str__(self) -> str:
        return "The username or the password is wrong. Try again."


@dataclass(eq=False)
class WrongPassword(Unauthenticated):
    """The password that the request repeats is not the account's."""

    reason = "WRONG_PASSWORD"

    def __str__(self) -> str:
        return "That is not the account's password. Nothing was changed; try again."


@dataclass(eq=False)
class AccountDisabled(Unauthenticated):
    """The username and the password are right, but an administrator has disabled the account."""

    reason = "ACCOUNT_DISABLED"

    def __str__(self) -> str:
        return "This account is disabled. Its messages are kept. Ask whoever runs the server to enable it."


@dataclass(eq=False)
class RecipientNotFound(NotFound):
    """No account has the recipient's name."""

    reason = "RECIPIENT_NOT_FOUND"
    recipient: str
    """The name, in lower case."""

    similar: str = ""
    """Names of accounts that are close to the recipient's, if a client has looked for some."""

    def __str__(self) -> str:
        advice = f"Perhaps you mean {self.similar}." if self.similar else "List the accounts to see who is there."
        return f"There is no account named {self.recipient}. {advice}"


@dataclass(eq=False)
class UsernameTaken(AlreadyExists):
    """The username is in use, or still held after its account was deleted."""

    reason = "USERNAME_TAKEN"
    username: str
    """The name, in lower case."""

    def __str__(self) -> str:
        return f"The username {self.username} is taken. Choose another, or log in if it is yours."


@dataclass(eq=False)
class MessageIdReused(AlreadyExists):
    """This sender has sent this recipient other content under the same message id."""

    reason = "MESSAGE_ID_REUSED"

    def __str__(self) -> str:
        return "This message id was used for another message to this recipient. Send with a new id."


@dataclass(eq=False)
class AlreadyListening(AlreadyExists):
    """This connection carries a live stream already."""

    reason = "ALREADY_LISTENING"

    def __str__(self) -> str:
        return "This connection listens already. Open another connection for another stream."


@dataclass(eq=False)
class CursorPastEnd(OutOfRange):
    """A cursor lies past the mailbox's last sequence."""

    reason = "CURSOR_PAST_END"
    cursor: int
    """The sequence that the request has."""
    end: int
    """The mailbox's last sequence. 0 if it never had a message."""

    def __str__(self) -> str:
        return f"Sequence {self.cursor} lies past the mailbox's end, {self.end}. Use a sequence that was delivered."


@dataclass(eq=False)
class TooBusy(ResourceExhausted):
    """A bounded part of the server is full. The server has done nothing."""

    reason = "TOO_BUSY"
    limit: str
    """The limit that is reached, in words such as "log-ins at once"."""
    retry_after: float = 1.0

    def __str__(self) -> str:
        return f"The server is at its limit of {self.limit}. Nothing was done; try again in a moment."


@dataclass(eq=False)
class RateLimited(ResourceExhausted):
    """An address or an account does something too often. The server has done nothing."""

    reason = "RATE_LIMITED"
    limit: str
    """The limit that is reached, in words such as "10 sign-ups from one address in an hour"."""
    retry_after: float = 1.0

    def __str__(self) -> str:
        wait = _wait_in_words(self.retry_after)
        return f"This is too often: the limit is {self.limit}. Nothing was done; try again in {wait}."


@dataclass(eq=False)
class MailboxFull(ResourceExhausted):
    """The recipient has not acknowledged as many messages as a mailbox may hold. The message was not stored."""

    reason = "MAILBOX_FULL"
    recipient: str
    """The name, in lower case."""
    retry_after: float = 600.0

    def __str__(self) -> str:
        return f"The mailbox of {self.recipient} is full. Nothing was sent; try again when its owner has read messages."


@dataclass(eq=False)
class StoreFull(ResourceExhausted):
    """The store has no room left. Nothing was stored."""

    reason = "STORE_FULL"
    retry_after: float = 30.0

    def __str__(self) -> str:
        return "The server's disk is full, so nothing was stored. Try again later, or tell whoever runs it."


@dataclass(eq=False)
class StoreUnavailable(Unavailable):
    """The store did not answer. It is unknown whether the call took effect."""

    reason = "STORE_UNAVAILABLE"
    retry_after: float = 1.0

    def __str__(self) -> str:
        return "The server cannot reach its store now. Try again; a message repeated under its id is stored once."


@dataclass(eq=False)
class ServerDraining(Unavailable):
    """The server is about to stop."""

    reason = "SERVER_DRAINING"
    retry_after: float = 1.0

    def __str__(self) -> str:
        return "The server is stopping. Connect again in a moment and resume where you were."


@dataclass(eq=False)
class ServerUnreachable(Unavailable):
    """The client got no connection, or lost it. It is unknown whether the call took effect."""

    reason = "SERVER_UNREACHABLE"
    server: str
    """The address, HOST:PORT."""
    retry_after: float = 1.0
    cause: str = ""
    """One of `booth.causes`, or empty if the cause is not known."""
    variable: str = ""
    """With the cause PROXY: the environment variable that names the proxy."""

    def __str__(self) -> str:
        return f"No connection to {self.server}. {advice(self.cause, self.server, self.variable)}"


@dataclass(eq=False)
class DeadlineExceeded(ChatboothError):
    """No answer came before the call's deadline. It is unknown whether the call took effect."""

    reason = "DEADLINE_EXCEEDED"

    def __str__(self) -> str:
        return "No answer came in time. Try again; a message repeated under its id is stored once."


@dataclass(eq=False)
class Internal(ChatboothError):
    """A bug of the server. Its log says more."""

    reason = "INTERNAL"

    def __str__(self) -> str:
        named = f" (request {self.request_id})" if self.request_id else ""
        return f"The server met an error of its own and has logged it{named}. Try again, or tell whoever runs it."


def _wait_in_words(seconds: float) -> str:
    """Return a time in words, rounded up. The server may have sent any number."""
    for unit, name in ((3_600.0, "h"), (60.0, "min")):
        if 2 * unit <= seconds < math.inf:
            return f"{math.ceil(seconds / unit):,} {name}"
    return f"{math.ceil(seconds):,} s" if 0 <= seconds < math.inf else "a moment"
