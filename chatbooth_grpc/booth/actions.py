"""Every action of chatbooth, one row each. Both wires use these constants and sets."""

from __future__ import annotations

from typing import NamedTuple

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
) -> int:
    """Add a row and return its number, since a frame's action is compared with a plain int for every message."""
    ACTIONS[number] = Action(number, name, needs_session, bulkhead, large_answers, is_wire_only)
    return number


SIGN_UP = _row(1, "SIGN_UP", needs_session=False, bulkhead=LOG_INS)
LIST = _row(2, "LIST", bulkhead=LISTS, large_answers=64)
SEND = _row(3, "SEND")
DELIVER = _row(4, "DELIVER", large_answers=32)
DELETE = _row(5, "DELETE", bulkhead=LOG_INS)
LOG_IN = _row(6, "LOG_IN", needs_session=False, bulkhead=LOG_INS)
LOG_OUT = _row(7, "LOG_OUT")
LISTEN = _row(8, "LISTEN")
ACKNOWLEDGE = _row(9, "ACKNOWLEDGE")
RESPONSE = _row(10, "RESPONSE", is_wire_only=True)
MESSAGE = _row(11, "MESSAGE", is_wire_only=True)
PING = _row(12, "PING", is_wire_only=True)
CHANGE_PASSWORD = _row(13, "CHANGE_PASSWORD", bulkhead=LOG_INS)

WITHOUT_SESSION = frozenset(row.number for row in ACTIONS.values() if not row.needs_session)
"""The actions that need no session."""


def action_name(number: int) -> str:
    """Return the name by which the logs call an action, such as "LOG_IN". An unknown action has its number."""
    row = ACTIONS.get(number)
    return row.name if row else str(number)
