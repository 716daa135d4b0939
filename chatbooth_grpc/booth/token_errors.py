"""The errors of tokens: of making one, and of what one may do."""

from __future__ import annotations

from dataclasses import dataclass

from chatbooth_grpc.booth.error_tree import AlreadyExists, FailedPrecondition, InvalidArgument


@dataclass(eq=False)
class InvalidTokenLimits(InvalidArgument):
    """A token would have no right, a recipient without the right to send, or too long a life."""

    reason = "INVALID_TOKEN_LIMITS"
    field: str = "limits"
    """`limits` or `lifetime`."""

    def __str__(self) -> str:
        if self.field == "lifetime":
            return "A token may expire after at most 36,500 days. Choose a shorter time, or let it not expire."
        return "A token must be allowed to read, to send, or both. Only one that may send can have a recipient."


@dataclass(eq=False)
class TokenNameTaken(AlreadyExists):
    """Another live token of the account has this label."""

    reason = "TOKEN_NAME_TAKEN"
    label: str
    """The label."""

    def __str__(self) -> str:
        return f"This account has a token named {self.label} already. Choose another name, or revoke that token first."


_RIGHTS = {"READ": "read messages", "SEND": "send messages to any account"}


@dataclass(eq=False)
class NotPermitted(FailedPrecondition):
    """The session is a token that may not do this. Nothing was done."""

    reason = "NOT_PERMITTED"
    permitted: str
    """The rights of the token, as codes with commas: READ, SEND (to any account) and SEND_TO (to one account)."""
    recipient: str = ""
    """With SEND_TO, the name of that account. Empty if the account is deleted."""

    def __str__(self) -> str:
        rights = [self._right(code) for code in self.permitted.split(",")]
        return f"This token may only {' and '.join(rights)}. Nothing was done; use another token, or log in."

    def _right(self, code: str) -> str:
        if code == "SEND_TO":
            return f"send messages to {self.recipient or 'an account that is deleted'}"
        return _RIGHTS.get(code, "do what a newer client knows")
