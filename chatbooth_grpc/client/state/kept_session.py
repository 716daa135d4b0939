"""A session and a place in its mailbox, kept in one file for one program, from run to run."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.booth.rules import TOKEN_SIZE
from chatbooth_grpc.booth.trust_errors import PlainTextRefused
from chatbooth_grpc.client.state.durable_file import replace_file
from chatbooth_grpc.client.state.file_lock import file_lock
from chatbooth_grpc.client.state.session_file import EPOCH_SIZE, SavedSession, decode_saved_session
from chatbooth_grpc.server_address import parts_of, server_identity

_NO_EPOCH = bytes(EPOCH_SIZE)


class KeptSession:
    """The file of a program that acts for one account on one server, held until `close`.

    Only its owner may read the file, since it has the session's token. A lock beside it lets one program at a time use
    it. The lock ends with its program.
    """

    def __init__(self, path: Path, server: str, username: str) -> None:
        """Read the file, if there is one.

        Raises OSError if it cannot be used, or if another program uses it, and ValueError if it is damaged.
        """
        # A link stays a link when the file is replaced, and a change of the working directory moves nothing.
        path = path.resolve()
        self._path = path
        self._server = server
        self._username = username
        self._changing = threading.Lock()
        with ExitStack() as ending:
            if not ending.enter_context(file_lock(Path(f"{path}.lock"))):
                raise BlockingIOError(errno.EAGAIN, "another program uses this state: give this one its own", str(path))
            self._saved = self._read()
            self._lock = ending.pop_all()

    @property
    def session(self) -> Session | None:
        """The session that was kept last. None if there is none, or if a log-in has begun since then."""
        return None if self._saved is None or self._saved.is_pending else self._saved.session

    def is_of(self, token: bytes) -> bool:
        """Say whether the session that was kept last has this token."""
        return self._saved is not None and self._saved.session.token == token

    @property
    def place(self) -> tuple[int | None, bytes | None]:
        """The last sequence that was taken, and the epoch in which it counts. Each is None if it is not known."""
        if self._saved is None:
            return None, None
        return self._saved.shown_through or None, self._saved.session.epoch

    def log_in_token(self) -> bytes:
        """Return a new token to log in with. Until a session is kept, it is the same token. Raises OSError.

        The file has the token before this returns. A program that is killed while it logs in repeats that log-in the
        next time, and gets the session that the first log-in opened.
        """
        with self._changing:
            saved = self._saved or SavedSession(self._server, Session(b"", 0, self._username, _NO_EPOCH))
            if not saved.is_pending:
                saved = replace(saved, session=replace(saved.session, token=os.urandom(TOKEN_SIZE)), is_pending=True)
                self._write(saved)
            return saved.session.token

    def keep(self, session: Session) -> None:
        """Keep a session. Keep the place too, if it counts in that session's mailbox and epoch. Raises OSError."""
        with self._changing:
            through = 0 if self._saved is None else self._saved.shown_of(session.account_id, session.epoch)
            self._write(SavedSession(self._server, session, through))

    def keep_place(self, epoch: bytes, through: int) -> None:
        """Keep the last sequence that was taken in an epoch. 0 forgets the place. Raises OSError."""
        with self._changing:
            if self._saved is not None:
                session = replace(self._saved.session, epoch=epoch)
                self._write(SavedSession(self._server, session, through))

    def close(self) -> None:
        """Let another program use the file."""
        self._lock.close()

    def _read(self) -> SavedSession | None:
        try:
            if self._path.stat().st_mode & 0o077:
                self._path.chmod(0o600)
            saved = decode_saved_session(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{self._path} is damaged or no state of a session. Remove it to log in anew.") from error
        if (server_identity(saved.server), saved.username) != (server_identity(self._server), self._username):
            raise ValueError(
                f"{self._path} is the state of {saved.username} on {saved.server}, not of {self._username} on "
                f"{self._server}. Give each account a file of its own."
            )
        if parts_of(saved.server).is_tls and not parts_of(self._server).is_tls:
            raise PlainTextRefused(self._server)
        return saved

    def _write(self, saved: SavedSession) -> None:
        replace_file(self._path, saved.encode())
        self._saved = saved
