"""Tokens: sessions that a person makes for a program, and what each may do."""

from __future__ import annotations

import enum
from typing import NamedTuple

from chatbooth_grpc.booth.token_errors import NotPermitted

MAX_TOKENS = 100
"""How many live tokens an account may have. Another one is refused, so that no token ends by itself."""

MAX_LIFETIME = 36_500 * 86_400
"""The longest time, in seconds, after which a token may expire."""


class Right(enum.Enum):
    """A right lets a token do an action. A token without the action's right is refused."""

    NEVER = enum.auto()
    """No token may do the action."""
    READ = enum.auto()
    """The token may read: get messages and acknowledge them."""
    SEND = enum.auto()
    """The token may send. The store checks each recipient."""


class TokenLimits(NamedTuple):
    """The limits of a token. It may read, send, or both, and nothing else."""

    may_read: bool = False
    """Whether it may get the account's messages and acknowledge them, with a cursor of its own."""
    may_send: bool = False
    """Whether it may send messages as the account."""
    recipient: str = ""
    """The username of the only account that it may send to. Empty: any account, unless `recipient_id` says otherwise.
    """
    recipient_id: int = 0
    """The number of that account. 0 if it may send to any. With a number and no `recipient`, the account is deleted."""

    @property
    def codes(self) -> str:
        """The limits as NotPermitted has them."""
        sends = ("SEND_TO" if self.recipient_id else "SEND") if self.may_send else ""
        return ",".join(code for code in ("READ" if self.may_read else "", sends) if code)


class StoredLimits(NamedTuple):
    """The limits of a token as its store knows them."""

    limits: TokenLimits
    mailbox_id: int | None
    """The mailbox of the only account that it may send to. None if any account will do, or if that one is deleted."""
    expire_time: int | None
    """The store time at which it expires. None if it does not expire."""

    def check(self, right: Right) -> None:
        """Raise NotPermitted unless the token has a right."""
        has_right = {Right.READ: self.limits.may_read, Right.SEND: self.limits.may_send}.get(right, False)
        if not has_right:
            raise self.refusal()

    def may_send_to(self, mailbox_id: int | None) -> bool:
        """Whether the token may send to a mailbox. None stands for a recipient that does not exist."""
        if not self.limits.may_send:
            return False
        return not self.limits.recipient_id or (mailbox_id is not None and mailbox_id == self.mailbox_id)

    def refusal(self) -> NotPermitted:
        """Return the error for an action that the token may not do."""
        return NotPermitted(self.limits.codes, self.limits.recipient)
