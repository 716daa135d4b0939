"""The root and the branches of the error tree, and the errors of a newer server.

    ChatboothError
    ├── InvalidArgument       the request cannot be right, so repeating it does not help
    ├── Unauthenticated       the caller has not shown, or has lost, the right to act
    ├── NotFound              the thing that the request names does not exist
    ├── AlreadyExists         the thing that the request would make exists already
    ├── OutOfRange            a position lies outside of the mailbox
    ├── FailedPrecondition    a setting of the server or of an account forbids the request
    ├── ResourceExhausted     a limit of the server is reached
    ├── Unavailable           the same call may succeed later
    ├── DeadlineExceeded      no answer came in time, so the outcome is unknown
    └── Internal              a bug of the server, which has logged it

`errors.py` has the errors of each branch. It takes some of them from `account_errors.py`, `request_errors.py` and
`token_errors.py`. Each has a stable `reason`. A server sends the reason and the typed attributes. From these the client
builds the same error
(`error_reasons.py`), which has its own words. `trust_errors.py` has a branch that no server sends: the client does not
trust the server, and has sent nothing.
"""

from __future__ import annotations

from typing import ClassVar


class ChatboothError(Exception):
    """The root of every error that a caller of chatbooth may see.

    `reason` is stable, for programs. `str()` of the error tells a person what happened and what to do.
    """

    reason: ClassVar[str] = "UNKNOWN"
    is_sent: ClassVar[bool] = True
    """Whether a server sends such errors. The errors of `trust_errors.py` are a client's own."""

    request_id = ""
    """The id of the request that failed, if a server has told it. The server's log has it too."""

    def attributes(self) -> dict[str, str]:
        """Return the typed attributes as text, as a server sends them.

        An attribute that is empty, and is empty by default, is left out.
        """
        fields = getattr(self, "__dataclass_fields__", {})
        values = {name: str(getattr(self, name)) for name in fields}
        return {name: value for name, value in values.items() if value or fields[name].default != ""}


class InvalidArgument(ChatboothError):
    """The request cannot be right. Repeating it does not help."""

    field: str
    """The name of the part of the request that is wrong. Empty if it is not known."""


class Unauthenticated(ChatboothError):
    """The caller has not shown a right to act."""


class NotFound(ChatboothError):
    """The thing that the request names does not exist."""


class AlreadyExists(ChatboothError):
    """The thing that the request would make exists already."""


class OutOfRange(ChatboothError):
    """A position lies outside of the mailbox."""


class FailedPrecondition(ChatboothError):
    """The request is right, but a setting of the server or of an account forbids it.

    Repeating it does not help before that setting changes. A client that does not know this branch treats its errors
    as final refusals, on both wires.
    """


class ResourceExhausted(ChatboothError):
    """A limit of the server is reached. The message names the limit."""

    retry_after: float
    """After how many seconds to try again, at the earliest."""


class Unavailable(ChatboothError):
    """The service cannot answer now. The same call may succeed later."""

    retry_after: float
    """After how many seconds to try again, at the earliest."""


class UnknownError(ChatboothError):
    """An error of a newer or foreign server: its own `reason` and words, unchanged.

    `error_reasons.unknown_error` makes one that is also of a branch of the tree, so that callers handle it like the
    errors of that branch. `field` names the part of the request that is wrong. It is empty if that is not known.
    `retry_after` is the number of seconds after which to try again, at the earliest.
    """

    def __init__(self, reason: str, message: str, *, field: str = "", retry_after: float = 1.0) -> None:
        # Two of the branches are dataclasses, whose own __init__ takes no message.
        Exception.__init__(self, message)
        # This one class stands for many reasons.
        self.reason = reason  # type: ignore[misc]
        self.field = field
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])
