"""The root of the failures that the client itself finds, and the exit code of every error."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from chatbooth_grpc.booth.trust_errors import NotTrusted
from chatbooth_grpc.client.failures.exit_codes import (
    FAILED,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    NOT_TRUSTED,
    UNREACHABLE,
    USAGE,
)

EXIT_CODES: dict[type[ChatboothError], int] = {
    InvalidArgument: USAGE,
    Unauthenticated: NOT_AUTHENTICATED,
    NotFound: NOT_FOUND,
    Unavailable: UNREACHABLE,
    DeadlineExceeded: UNREACHABLE,
    NotTrusted: NOT_TRUSTED,
}
"""The exit code of each branch of the error tree. Any other error has FAILED."""


class CommandFailure(Exception):
    """A failure that the client itself found.

    `reason` is stable. `details` is for programs. `must_be_said` means that the command had effects, and that only this
    failure's words tell of them.
    """

    reason = "FAILED"
    exit_code = FAILED
    must_be_said = False

    def details(self) -> dict[str, str]:
        """Return the attributes that `--json` adds to the reason and the words."""
        return {}


class Misuse(CommandFailure):
    """The command or its input is wrong."""

    reason = "USAGE"
    exit_code = USAGE


def details_of(error: ChatboothError) -> dict[str, str]:
    """Return the attributes of a server's error for `--json`, and the id of the request if the server told it."""
    return error.attributes() | ({"request_id": error.request_id} if error.request_id else {})


def exit_code(error: Exception) -> int:
    """Return the exit code of an error."""
    if isinstance(error, CommandFailure):
        return error.exit_code
    return next((code for branch, code in EXIT_CODES.items() if isinstance(error, branch)), FAILED)
