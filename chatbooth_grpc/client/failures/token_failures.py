"""Failures of tokens and their files on this machine."""

from __future__ import annotations

from pathlib import Path

from chatbooth_grpc.client.failures.command_failure import CommandFailure, Misuse
from chatbooth_grpc.client.failures.exit_codes import NOT_AUTHENTICATED, NOT_FOUND


class TokenFileExposed(Misuse):
    """Other users of this machine may read the token file."""

    reason = "TOKEN_FILE_EXPOSED"

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(
            f"Others may read the token file {path} (its mode is {mode:04o}), so it is not used. If nobody has read "
            f"it, type: chmod 600 {path}; otherwise revoke the token."
        )


class TokenFileWrong(Misuse):
    """The token file holds something else."""

    reason = "TOKEN_FILE_WRONG"

    def __init__(self, path: Path) -> None:
        super().__init__(f"The file {path} has no token: it must have one line with the 32 hex digits of a token.")


class TokenEnded(CommandFailure):
    """The server says that the token is no longer alive."""

    reason = "SESSION_INVALID"
    exit_code = NOT_AUTHENTICATED

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The token in {path} does not exist on this server: it was revoked or has expired, or it belongs to "
            "another server. Its owner can make another with: token create"
        )


class TokenNotFound(CommandFailure):
    """The account has no live token of a name or an id."""

    reason = "TOKEN_NOT_FOUND"
    exit_code = NOT_FOUND

    def __init__(self, word: str) -> None:
        super().__init__(f"This account has no token with the name or the id {word!r}. To see them, type: token list")
