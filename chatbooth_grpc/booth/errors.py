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
from chatbooth_grpc.booth.request_errors import BatchTooLarge as BatchTooLarge
from chatbooth_grpc.booth.request_errors import EmptyText as EmptyText
from chatbooth_grpc.booth.request_errors import InvalidMessageId as InvalidMessageId
from chatbooth_grpc.booth.request_errors import InvalidPageToken as InvalidPageToken
from chatbooth_grpc.booth.request_errors import InvalidPassword as InvalidPassword
from chatbooth_grpc.booth.request_errors import InvalidPattern as InvalidPattern
from chatbooth_grpc.booth.request_errors import InvalidPrefix as InvalidPrefix
from chatbooth_grpc.booth.request_errors import InvalidUsername as InvalidUsername
from chatbooth_grpc.booth.request_errors import MalformedRequest as MalformedRequest
from chatbooth_grpc.booth.request_errors import RequestTooLarge as RequestTooLarge
from chatbooth_grpc.booth.request_errors import TextTooLong as TextTooLong
from chatbooth_grpc.booth.request_errors import UnknownAction as UnknownAction
from chatbooth_grpc.booth.request_errors import UnknownContentKind as UnknownContentKind
from chatbooth_grpc.booth.request_errors import UnsupportedVersion as UnsupportedVersion
from chatbooth_grpc.booth.token_errors import InvalidTokenLimits as InvalidTokenLimits
from chatbooth_grpc.booth.token_errors import NotPermitted as NotPermitted
from chatbooth_grpc.booth.token_errors import TokenNameTaken as TokenNameTaken
from chatbooth_grpc.booth.token_problems import token_advice


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
