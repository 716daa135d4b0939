"""What a command can fail with beside the server's errors, and the exit code of each failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from chatbooth_grpc.booth.repeating import OUTCOME_UNKNOWN
from chatbooth_grpc.client.failures.exit_codes import (
    FAILED,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    UNPRINTED,
    UNREACHABLE,
    USAGE,
)
from chatbooth_grpc.client.failures.interrupts import Interrupted
from chatbooth_grpc.client.failures.invocation import command_line

EXIT_CODES: dict[type[ChatboothError], int] = {
    InvalidArgument: USAGE,
    Unauthenticated: NOT_AUTHENTICATED,
    NotFound: NOT_FOUND,
    Unavailable: UNREACHABLE,
    DeadlineExceeded: UNREACHABLE,
}
"""The exit code of each branch of the error tree; of any other, FAILED."""


class CommandFailure(Exception):
    """A failure that the client itself found. `reason` is stable, `details` is for programs.

    `must_be_said`: the command had effects that only this failure's words tell.
    """

    reason = "FAILED"
    exit_code = FAILED
    must_be_said = False

    def details(self) -> dict[str, str]:
        """What `--json` adds to reason and words."""
        return {}


class Misuse(CommandFailure):
    """The command or its input is not one."""

    reason = "USAGE"
    exit_code = USAGE


class SeveralSessions(Misuse):
    """More than one account is logged in to the server, and none was picked."""

    reason = "SEVERAL_SESSIONS"

    def __init__(self, server: str, usernames: list[str]) -> None:
        self.usernames = usernames
        names = ", ".join(usernames)
        super().__init__(f"Several accounts are logged in to {server}: {names}. Pick one: --as {usernames[0]}")


class NotLoggedIn(CommandFailure):
    """No session is kept for the server, or for the user picked."""

    reason = "NOT_LOGGED_IN"
    exit_code = NOT_AUTHENTICATED

    def __init__(self, server: str, username: str | None, similar: Sequence[str] = ()) -> None:
        """`similar`: users who are logged in, and whose names are nearly `username`."""
        state = f"{username} is not logged in" if username else "Nobody is logged in"
        question = f"Did you mean {', '.join(similar)}? Else type" if similar else "Type"
        super().__init__(f"{state} to {server} here. {question}: {_log_in_command(server, username)}")


class SessionEnded(CommandFailure):
    """The server says that the session kept here is no longer alive."""

    reason = "SESSION_INVALID"
    exit_code = NOT_AUTHENTICATED

    def __init__(self, server: str, username: str) -> None:
        super().__init__(f"The session of {username} has ended. Type: {_log_in_command(server, username)}")


class SessionFileDamaged(CommandFailure):
    """A session file cannot be read as one."""

    reason = "SESSION_FILE_DAMAGED"

    def __init__(self, path: Path, server: str, username: str) -> None:
        command = _log_in_command(server, username)
        super().__init__(f"The session file {path} is damaged. Log in again, which replaces it. Type: {command}")


class AlreadyReading(CommandFailure):
    """Another process is delivering with the same session. `holder` names its command and process, if it said so."""

    reason = "ALREADY_READING"

    def __init__(self, username: str, holder: str = "") -> None:
        super().__init__(
            f"Another command{f', {holder},' if holder else ''} is delivering for {username} on this machine and shows "
            "its messages. End it first, or read what it prints."
        )


class Unprinted(CommandFailure):
    """The command was done, but its result could not be written to the stream where it belongs."""

    reason = "DONE_BUT_NOT_PRINTED"
    exit_code = UNPRINTED
    must_be_said = True

    def __init__(self, record: Mapping[str, object], words: str, error: OSError) -> None:
        super().__init__(f"{words} (This could not be written to {error.filename}: {error.strerror}.)")
        self._details = {name: str(value) for name, value in record.items()}

    def details(self) -> dict[str, str]:
        """The result that a program would have read."""
        return self._details


class SomeNotSent(CommandFailure):
    """Some messages were wrong or refused; all others were sent."""

    reason = "SOME_NOT_SENT"
    must_be_said = True

    def __init__(self, sent: int, failed: int) -> None:
        super().__init__(f"{sent:,} sent, {failed:,} not sent.")
        self._details = {"sent": str(sent), "failed": str(failed)}

    def details(self) -> dict[str, str]:
        """How many."""
        return self._details


class QueuedButRefused(CommandFailure):
    """The server refused a message of the outbox; it stays there, and is not sent by itself."""

    must_be_said = True

    def __init__(self, refusal: ChatboothError, recipient: str, message_id: bytes) -> None:
        super().__init__(f"Not sent to {recipient}: {refusal} The text stays in the outbox: see the command outbox.")
        self.reason = refusal.reason
        self.exit_code = exit_code(refusal)
        self._details = {**refusal.attributes(), "message_id": message_id.hex()}

    def details(self) -> dict[str, str]:
        """The refusal's attributes, and the message's id."""
        return self._details


class OutcomeUnknown(CommandFailure):
    """The server may or may not have done what was asked. `advice` says how to find out or to repeat it safely."""

    must_be_said = True

    def __init__(self, cause: ChatboothError | Interrupted, advice: str, details: Mapping[str, str] = {}) -> None:
        if isinstance(cause, Interrupted):
            super().__init__(f"Interrupted. {advice}")
            self.reason, self.exit_code, self._details = "INTERRUPTED", cause.exit_code, {**details}
        else:
            super().__init__(f"{cause} {advice}")
            self.reason, self.exit_code = cause.reason, exit_code(cause)
            self._details = {**cause.attributes(), **details}

    def details(self) -> dict[str, str]:
        """The error's attributes, and of a message its id and the command that repeats it."""
        return self._details


@contextmanager
def outcome_unknown(advice: str, details: Mapping[str, str] = {}) -> Iterator[None]:
    """Call the server inside. If the outcome stays unknown, say `advice`.

    Raises OutcomeUnknown in place of Unavailable, DeadlineExceeded and Internal, and gives it to Interrupted.
    """
    try:
        yield
    except OUTCOME_UNKNOWN as error:
        raise OutcomeUnknown(error, advice, details) from error
    except Interrupted as interrupt:
        interrupt.open_end = OutcomeUnknown(interrupt, advice, details)
        raise


class SessionNotKept(CommandFailure):
    """The server made an account or opened a session, but the session cannot be kept on this machine."""

    reason = "SESSION_NOT_KEPT"
    must_be_said = True

    def __init__(self, done: str, error: OSError, server: str, username: str) -> None:
        cause = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        super().__init__(
            f"{done}, but the session cannot be kept here and was ended ({cause}). When that is mended, type: "
            f"{_log_in_command(server, username)}"
        )


def exit_code(error: Exception) -> int:
    """Return the exit code that stands for an error."""
    if isinstance(error, CommandFailure):
        return error.exit_code
    return next((code for branch, code in EXIT_CODES.items() if isinstance(error, branch)), FAILED)


def _log_in_command(server: str, username: str | None) -> str:
    return command_line(server, "login", username or "USERNAME")
