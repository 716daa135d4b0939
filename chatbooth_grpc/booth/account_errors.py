"""The errors of what an account may do: sending to somebody who blocks it, and limits."""

from __future__ import annotations

from dataclasses import dataclass

from chatbooth_grpc.booth.error_tree import FailedPrecondition, InvalidArgument


@dataclass(eq=False)
class BlocksOneself(InvalidArgument):
    """An account cannot block itself."""

    reason = "BLOCKS_ONESELF"
    field: str = "username"

    def __str__(self) -> str:
        return "An account cannot block itself. Name another account."


@dataclass(eq=False)
class Blocked(FailedPrecondition):
    """The recipient blocks the sender, so the message was not stored."""

    reason = "BLOCKED"
    recipient: str
    """The recipient's name, in lower case."""

    def __str__(self) -> str:
        return f"Nothing was sent, because {self.recipient} blocks this account. Only {self.recipient} can change that."


@dataclass(eq=False)
class LimitReached(FailedPrecondition):
    """The account has as many things of one kind as it may have. Nothing was added."""

    reason = "LIMIT_REACHED"
    limit: int
    """How many the account may have."""
    things: str
    """The things that are limited, in a word such as "blocks"."""

    def __str__(self) -> str:
        return f"An account has at most {self.limit:,} {self.things}, so nothing was added. Remove one first."
