"""Every action of chatbooth, one row each, and the requests of those that have one reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from chatbooth_grpc.booth.tokens import Right, TokenLimits

if TYPE_CHECKING:
    from chatbooth_grpc.booth.model import Delivery, NewToken, Page, Removal, Session, SessionPage

Request = TypeVar("Request")
Reply = TypeVar("Reply")

LOG_INS = "log-ins at once"
LISTS = "lists at once"
"""The bulkheads of slow actions, in the words by which a refusal names the limit."""


class Action(NamedTuple):
    """The facts that both wires, the log and the bulkheads need about an action."""

    number: int
    """The wire's action byte, and the .proto's `enum Action`. Another action never gets this number."""
    name: str
    """The name in the logs. The .proto has it after ACTION_."""
    needs_session: bool
    """Whether a request carries the token of a session."""
    bulkhead: str
    """The bulkhead that bounds how many run at once. Empty if the action is quick."""
    large_answers: int
    """How many of its answers are made at once. 0 if they are small.

    A large answer takes memory until its client has read it. So an account that leaves too much unread gets none.
    """
    is_wire_only: bool
    """Whether only the wire protocol needs it: for a reply, a push or a ping. gRPC brings those itself."""
    subject: str
    """The module that encodes its request and its reply: one of this name in `rpc/`, another in `wire/encoding/`.

    Empty if the action is more than one request and one reply, or has quicker code of its own.
    """
    right: Right = Right.NEVER
    """The right with which a token may do the action. By default no token may."""


class UnaryAction(int, Generic[Request, Reply]):
    """The number of an action that has one request and one reply, with the types of both."""

    __slots__ = ()


# The requests. Both wires make the same object of a request's bytes, and the client makes it for both wires.


class LogInRequest(NamedTuple):
    """Sign up, or log in."""

    username: str
    password: str
    token: bytes = b""
    """The 16 bytes of token that the client drew for the session. Empty lets the server draw them."""
    label: str = ""
    """The label of the session, for the list of the account's sessions."""
    invite: str = ""
    """The invite code, for a sign-up on a server that asks for one. A log-in ignores it."""


class ChangePasswordRequest(NamedTuple):
    """Change the password. The reply is how many other sessions ended."""

    old_password: str
    new_password: str


class DeleteRequest(NamedTuple):
    """Delete the account."""

    password: str


class ListRequest(NamedTuple):
    """List the usernames that an RE2 pattern finds."""

    pattern: str = ""
    prefix: str = ""
    page_size: int = 0
    """The most names that the page may have. 0 leaves the number to the server."""
    page_token: str = ""
    """The `next_page_token` of the page before. Empty for the first page."""


class DeliverRequest(NamedTuple):
    """Acknowledge messages, then deliver the next ones."""

    acknowledge_through: int = 0
    """A sequence of `epoch`. 0 acknowledges nothing."""
    after: int | None = None
    """The sequence to start after. None starts after the session's cursor."""
    max_messages: int = 0
    """The most messages that the reply may have. 0 leaves the number to the server."""
    epoch: bytes = b""
    """A store of another epoch acknowledges nothing. An empty epoch fits every store."""


class AcknowledgeRequest(NamedTuple):
    """Advance the session's cursor."""

    through: int
    """A sequence of `epoch`."""
    epoch: bytes = b""
    """As in `DeliverRequest`."""


class SetBlockRequest(NamedTuple):
    """Block another account, or unblock it."""

    username: str
    is_blocked: bool


class ListBlocksRequest(NamedTuple):
    """List the accounts that this one blocks."""

    page_size: int = 0
    """As in `ListRequest`."""
    page_token: str = ""
    """As in `ListRequest`."""


class ListSessionsRequest(NamedTuple):
    """List the sessions of the account."""

    page_size: int = 0
    """As in `ListRequest`."""
    page_token: str = ""
    """As in `ListRequest`."""


class EndSessionRequest(NamedTuple):
    """End a session of the account."""

    session_id: int


class CreateTokenRequest(NamedTuple):
    """Make a token of the account."""

    secret: bytes
    """The 16 bytes that the client drew for the token's secret."""
    label: str
    """The token's name: 1 to 64 printable characters. No other live token of the account has it."""
    limits: TokenLimits
    """The limits of the token. The `recipient_id` does not matter."""
    lifetime: int = 0
    """After how many seconds the token expires. 0 means never."""


# The rows


ACTIONS: dict[int, Action] = {}
"""The rows, by their numbers."""


def _row(
    number: int,
    name: str,
    *,
    needs_session: bool = True,
    bulkhead: str = "",
    large_answers: int = 0,
    is_wire_only: bool = False,
    subject: str = "",
    right: Right = Right.NEVER,
) -> int:
    """Add a row and return its number, since a frame's action is compared with a plain int for every message."""
    ACTIONS[number] = Action(number, name, needs_session, bulkhead, large_answers, is_wire_only, subject, right)
    return number


def _unary(
    subject: str,
    number: int,
    name: str,
    *,
    needs_session: bool = True,
    bulkhead: str = "",
    large_answers: int = 0,
    right: Right = Right.NEVER,
) -> UnaryAction[Request, Reply]:
    """Add the row of an action that the booth performs by one call."""
    _row(
        number,
        name,
        needs_session=needs_session,
        bulkhead=bulkhead,
        large_answers=large_answers,
        subject=subject,
        right=right,
    )
    return UnaryAction(number)


SIGN_UP: UnaryAction[LogInRequest, Session] = _unary("sessions", 1, "SIGN_UP", needs_session=False, bulkhead=LOG_INS)
LIST: UnaryAction[ListRequest, Page] = _unary("lists", 2, "LIST", bulkhead=LISTS, large_answers=64)
SEND = _row(3, "SEND", right=Right.SEND)
DELIVER: UnaryAction[DeliverRequest, Delivery] = _unary("delivering", 4, "DELIVER", large_answers=32, right=Right.READ)
DELETE: UnaryAction[DeleteRequest, Removal] = _unary("accounts", 5, "DELETE", bulkhead=LOG_INS)
LOG_IN: UnaryAction[LogInRequest, Session] = _unary("sessions", 6, "LOG_IN", needs_session=False, bulkhead=LOG_INS)
LOG_OUT: UnaryAction[None, None] = _unary("sessions", 7, "LOG_OUT")
LISTEN = _row(8, "LISTEN", right=Right.READ)
ACKNOWLEDGE: UnaryAction[AcknowledgeRequest, None] = _unary("delivering", 9, "ACKNOWLEDGE", right=Right.READ)
RESPONSE = _row(10, "RESPONSE", is_wire_only=True)
MESSAGE = _row(11, "MESSAGE", is_wire_only=True)
PING = _row(12, "PING", is_wire_only=True)
CHANGE_PASSWORD: UnaryAction[ChangePasswordRequest, int] = _unary("accounts", 13, "CHANGE_PASSWORD", bulkhead=LOG_INS)
SET_BLOCK: UnaryAction[SetBlockRequest, None] = _unary("blocks", 14, "SET_BLOCK")
LIST_BLOCKS: UnaryAction[ListBlocksRequest, Page] = _unary("blocks", 15, "LIST_BLOCKS")
LIST_SESSIONS: UnaryAction[ListSessionsRequest, SessionPage] = _unary("sessions", 16, "LIST_SESSIONS")
END_SESSION: UnaryAction[EndSessionRequest, None] = _unary("sessions", 17, "END_SESSION")
CREATE_TOKEN: UnaryAction[CreateTokenRequest, NewToken] = _unary("tokens", 18, "CREATE_TOKEN")

WITHOUT_SESSION = frozenset(row.number for row in ACTIONS.values() if not row.needs_session)
"""The actions that need no session."""

SUBJECTS = sorted({row.subject for row in ACTIONS.values() if row.subject})
"""The names of the modules that encode unary actions."""


def action_name(number: int) -> str:
    """Return the name by which the logs call an action, such as "LOG_IN". An unknown action has its number."""
    row = ACTIONS.get(number)
    return row.name if row else str(number)
