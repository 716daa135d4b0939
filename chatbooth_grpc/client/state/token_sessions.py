"""The session of a token file, in place of the sessions that are kept for a server."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

from chatbooth_grpc.booth.errors import SessionInvalid
from chatbooth_grpc.booth.model import Opening, Session
from chatbooth_grpc.booth.rules import TOKEN_SIZE, token_from_hex
from chatbooth_grpc.client.failures.command_failure import CommandFailure
from chatbooth_grpc.client.failures.token_failures import TokenEnded, TokenFileExposed, TokenFileWrong
from chatbooth_grpc.client.state.session_directory import SessionDirectory
from chatbooth_grpc.client.state.session_file import SavedSession

_LARGEST = 1_024
_UNKNOWN_EPOCH = b""


class TokenSessions(SessionDirectory):
    """The one session of a token file, and the place in the mailbox that was shown with it.

    The place is kept in a file of its own, under a name that is made from the token's hash. That file never has the
    token itself. The token does not tell whose it is, so the session goes by that name instead of a username.
    """

    root = "tokens"

    def __init__(self, state: Path, server: str, token_file: Path) -> None:
        super().__init__(state, server)
        self._token_file = token_file
        self._read: bytes | None = None

    def move_former(self) -> None:
        """Do nothing: an earlier chatbooth had no tokens."""

    def pick(self, as_user: str | None) -> SavedSession:  # noqa: ARG002  # there is one
        """Return the token's session. Raises TokenFileExposed, TokenFileWrong. Raises OSError if it cannot be read."""
        name = f"token-{_fingerprint(self._token()).hex()[:16]}"
        unknown = SavedSession(self.server, Session(self._token(), 0, name, _UNKNOWN_EPOCH))
        return self.load(name) or unknown

    def load(self, username: str) -> SavedSession | None:
        saved = super().load(username)
        if saved is None or saved.session.token != _fingerprint(self._token()):
            return None
        return replace(saved, session=replace(saved.session, token=self._token()))

    def note_shown(self, username: str, opening: Opening, through: int) -> None:  # noqa: ARG002  # as above
        with self._changing():
            saved = self.pick(None)
            session = replace(saved.session, account_id=opening.account_id)
            self._write(replace(saved, session=session).with_shown(opening, through))

    def words_of(self, saved: SavedSession) -> list[str]:  # noqa: ARG002  # as above
        return ["--token-file", str(self._token_file)]

    def ended(self, saved: SavedSession) -> CommandFailure:  # noqa: ARG002  # as above
        return TokenEnded(self._token_file)

    def _write(self, saved: SavedSession) -> None:
        fingerprint = _fingerprint(saved.session.token)
        super()._write(replace(saved, session=replace(saved.session, token=fingerprint)))

    def _token(self) -> bytes:
        # A pipe can be read once.
        if self._read is None:
            self._read = read_token(self._token_file)
        return self._read


def read_token(path: Path) -> bytes:
    """Return the token in a file that nobody else may read. Raises TokenFileExposed, TokenFileWrong, OSError."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
            raise TokenFileExposed(path, stat.S_IMODE(status.st_mode))
        content = file.read(_LARGEST)
    try:
        return token_from_hex(content.decode("ascii", "replace").strip())
    except SessionInvalid as error:
        raise TokenFileWrong(path) from error


def _fingerprint(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()[:TOKEN_SIZE]
