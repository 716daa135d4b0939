"""The errors of what an account may do: signing up, blocks, sessions and limits."""

from __future__ import annotations

from dataclasses import dataclass

from chatbooth_grpc.booth.error_tree import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound


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


@dataclass(eq=False)
class InvalidLabel(InvalidArgument):
    """The label of a session is too long, or cannot be printed."""

    reason = "INVALID_LABEL"
    limit: int
    """How many characters a label may have."""
    field: str = "label"
    minimum: int = 0
    """How many characters it must have at least. A token must have a label."""

    def __str__(self) -> str:
        length = f"{self.minimum} to {self.limit}" if self.minimum else f"at most {self.limit}"
        return f"The label must have {length} characters, all of them printable. Choose another."


@dataclass(eq=False)
class SessionNotFound(NotFound):
    """The account has no live session with this number."""

    reason = "SESSION_NOT_FOUND"
    number: int
    """The number that the request has."""

    def __str__(self) -> str:
        return f"This account has no session {self.number}. It may have ended already; list the sessions."


@dataclass(eq=False)
class SignUpClosed(FailedPrecondition):
    """The server makes no accounts at sign-up."""

    reason = "SIGN_UP_CLOSED"

    def __str__(self) -> str:
        return "This server takes no new accounts. Ask whoever runs it, or log in if you have an account."


@dataclass(eq=False)
class InviteRequired(FailedPrecondition):
    """The server makes an account only for somebody who has an invite code, and the request has none."""

    reason = "INVITE_REQUIRED"

    def __str__(self) -> str:
        return "This server takes a new account only with an invite code. Ask whoever runs it for one."


@dataclass(eq=False)
class InviteRefused(FailedPrecondition):
    """The invite code is wrong, expired, used up or revoked. The server does not say which."""

    reason = "INVITE_REFUSED"

    def __str__(self) -> str:
        return (
            "This invite code is not good: it may be mistyped, expired or used up. Type it again, or ask whoever runs "
            "the server for a new one."
        )


@dataclass(eq=False)
class InvalidInvite(InvalidArgument):
    """An administrator asks for an invite that cannot be."""

    reason = "INVALID_INVITE"
    field: str

    def __str__(self) -> str:
        return (
            "An invite has 1 to 1,000,000 uses, ends within ten years or never, and has a note of at most 200 "
            "characters, all of them printable."
        )


@dataclass(eq=False)
class InviteNotFound(NotFound):
    """There is no invite with this number."""

    reason = "INVITE_NOT_FOUND"
    number: int
    """The number that the request has."""

    def __str__(self) -> str:
        return f"There is no invite {self.number}. List the invites to see which there are."


@dataclass(eq=False)
class UsernameReserved(AlreadyExists):
    """Nobody can take this username at sign-up, because it could be mistaken for the server's own."""

    reason = "USERNAME_RESERVED"
    username: str
    """The name, in lower case."""

    def __str__(self) -> str:
        return f"The username {self.username} is reserved on this server. Choose another."
