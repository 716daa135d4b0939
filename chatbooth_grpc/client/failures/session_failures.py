"""Failures of the sessions that are kept on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chatbooth_grpc.client.failures.command_failure import CommandFailure, Misuse
from chatbooth_grpc.client.failures.exit_codes import (
    NOT_AUTHENTICATED,
)
from chatbooth_grpc.client.failures.invocation import command_line


class SeveralSessions(Misuse):
    """Several accounts are logged in to the server, and the user picked none of them."""

    reason = "SEVERAL_SESSIONS"

    def __init__(self, server: str, usernames: list[str]) -> None:
        self.usernames = usernames
        names = ", ".join(usernames)
        super().__init__(f"Several accounts are logged in to {server}: {names}. Pick one: --as {usernames[0]}")


class NotLoggedIn(CommandFailure):
    """No session is kept for the server, or none for the user that was picked."""

    reason = "NOT_LOGGED_IN"
    exit_code = NOT_AUTHENTICATED

    def __init__(self, server: str, username: str | None, similar: Sequence[str] = ()) -> None:
        """`similar` are users who are logged in, and whose names are nearly `username`."""
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
    """A session file is damaged: it cannot be decoded."""

    reason = "SESSION_FILE_DAMAGED"

    def __init__(self, path: Path, server: str, username: str) -> None:
        command = _log_in_command(server, username)
        super().__init__(f"The session file {path} is damaged. Log in again, which replaces it. Type: {command}")


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


class AlreadyReading(CommandFailure):
    """Another process is delivering with the same session. `holder` names its command and process, or is empty."""

    reason = "ALREADY_READING"

    def __init__(self, username: str, holder: str = "") -> None:
        super().__init__(
            f"Another command{f', {holder},' if holder else ''} is delivering for {username} on this machine and shows "
            "its messages. End it first, or read what it prints."
        )


def _log_in_command(server: str, username: str | None) -> str:
    return command_line(server, "login", username or "USERNAME")
