"""A session and a place in its mailbox, kept in one file for one program, from run to run."""

from __future__ import annotations

import errno
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.durable_file import replace_file
from chatbooth_grpc.client.file_lock import file_lock
from chatbooth_grpc.client.session_file import SavedSession, decode_saved_session


class KeptSession:
    """The file of a program that acts for one account on one server, held until `close`.

    Only its owner may read the file, since it has the session's token. A lock beside it, which ends with its program,
    lets one program at a time use it.
    """

    def __init__(self, path: Path, server: str, username: str) -> None:
        """Read the file, if there is one. Raises OSError: it cannot be used, or another program uses it; ValueError."""
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
        """The session that was kept last, None if there is none."""
        return None if self._saved is None else self._saved.session

    def is_of(self, token: bytes) -> bool:
        """Say whether the session that was kept last has this token."""
        return self._saved is not None and self._saved.session.token == token

    @property
    def place(self) -> tuple[int | None, bytes | None]:
        """The last sequence that was taken, and the epoch in which it counts; None and None if no place is kept."""
        if self._saved is None or not self._saved.shown_through:
            return None, None
        return self._saved.shown_through, self._saved.session.epoch

    def keep(self, session: Session) -> None:
        """Keep a session, and the place if it counts in that session's mailbox and epoch. Raises OSError."""
        with self._changing:
            through = 0 if self._saved is None else self._saved.shown_of(session.account_id, session.epoch)
            self._write(SavedSession(self._server, session, through))

    def keep_place(self, epoch: bytes, through: int) -> None:
        """Keep the last sequence that was taken, in an epoch; 0 forgets the place. Raises OSError."""
        with self._changing:
            if self._saved is not None:
                session = replace(self._saved.session, epoch=epoch)
                self._write(SavedSession(self._server, session, through))

    def close(self) -> None:
        """Let another program use the file."""
        self._lock.close()

    def _read(self) -> SavedSession | None:
        try:
            saved = decode_saved_session(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{self._path} is damaged or no state of a session. Remove it to log in anew.") from error
        if (saved.server, saved.username) != (self._server, self._username):
            raise ValueError(
                f"{self._path} is the state of {saved.username} on {saved.server}, not of {self._username} on "
                f"{self._server}. Give each account a file of its own."
            )
        return saved

    def _write(self, saved: SavedSession) -> None:
        replace_file(self._path, saved.encode())
        self._saved = saved
