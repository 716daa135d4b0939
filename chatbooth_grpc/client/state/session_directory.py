"""The session files of a server: private, replaced whole, and shared by processes.

The files are `$XDG_STATE_HOME/chatbooth/sessions/HOST:PORT/USERNAME.json`. For each name of this machine, HOST is
127.0.0.1.

There are two locks. A process that changes a file holds the lock of the directory. A reader needs no lock, since a file
is only ever replaced. A process that delivers holds the lock of its user, so that no two processes show the same
message. A process that holds the lock of a user may take the lock of the directory, but never the other way round.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chatbooth_grpc.booth.model import Opening
from chatbooth_grpc.booth.rules import folded_username
from chatbooth_grpc.client.failures.command_failure import CommandFailure, Misuse
from chatbooth_grpc.client.failures.session_failures import (
    AlreadyReading,
    NotLoggedIn,
    SessionEnded,
    SessionFileDamaged,
    SeveralSessions,
)
from chatbooth_grpc.client.state.durable_file import damaged_name, replace_file, sync_directory
from chatbooth_grpc.client.state.file_lock import OnWait, file_lock
from chatbooth_grpc.client.state.session_file import SavedSession, decode_saved_session
from chatbooth_grpc.client.state.session_moving import OUTBOX_SUFFIX, SESSION_SUFFIX, move_sessions
from chatbooth_grpc.server_address import other_names, server_identity

if TYPE_CHECKING:
    from chatbooth_grpc.client.state.outbox import Outbox


def state_directory() -> Path:
    """Return the folder of chatbooth's state, as XDG has it. Raises Misuse if there is no home directory."""
    configured = Path(os.environ.get("XDG_STATE_HOME", ""))
    # The XDG specification says to ignore a relative path.
    if configured.is_absolute():
        return configured / "chatbooth"
    home = os.environ.get("HOME")
    try:
        folder = Path.home() if home is None else Path(home)
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise Misuse(
            f"There is no home directory to keep sessions in: HOME is {home!r}, where an absolute path belongs. "
            "Set HOME, or set XDG_STATE_HOME to the absolute path of a folder of your own."
        )
    return folder / ".local" / "state" / "chatbooth"


class SessionDirectory:
    """The sessions kept for one server, `HOST:PORT`, below `state`."""

    root = "sessions"
    """The name of the folder below `state`."""

    def __init__(self, state: Path, server: str) -> None:
        self.server = server
        self._identity = server_identity(server)
        self._parents = (state, state / self.root)
        self._directory = self._folder(self._identity)

    def move_former(self) -> None:
        """Move here the sessions that an earlier chatbooth kept under other names of this server. Raises OSError."""
        former = [folder for folder in map(self._folder, other_names(self._identity)) if folder.is_dir()]
        if former:
            with self._changing():
                for folder in former:
                    move_sessions(folder, self._directory)

    def path(self, username: str) -> Path:
        """Return the file of a user's session. Raises InvalidUsername, since a server could name any file as a user."""
        return self._directory / f"{folded_username(username)}{SESSION_SUFFIX}"

    def outbox(self, saved: SavedSession) -> Outbox:
        """Open the outbox of a session's account. Make it if it is absent. Raises OSError, OutboxDamaged."""
        # This imports SQLite, which few commands need.
        from chatbooth_grpc.client.state.outbox import Outbox

        self._make_directories()
        return Outbox(self._outbox_path(saved))

    def has_outbox(self, saved: SavedSession) -> bool:
        """Say whether a message was ever queued for a session's account."""
        return self._outbox_path(saved).exists()

    def remove_outbox(self, saved: SavedSession) -> None:
        """Forget the messages that a deleted account had queued."""
        for suffix in ("", "-journal", ".lock"):
            Path(f"{self._outbox_path(saved)}{suffix}").unlink(missing_ok=True)

    def usernames(self) -> list[str]:
        """Return the users whose sessions are kept, sorted. Raises OSError if the folder cannot be read."""
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(
            name.removesuffix(SESSION_SUFFIX) for name in names if name.endswith(SESSION_SUFFIX) and name[0] != "."
        )

    def set_aside(self, username: str) -> Path:
        """Rename a user's session file, which is damaged, so that a new one can take its place. Raises OSError."""
        with self._changing():
            path = self.path(username)
            kept = damaged_name(path)
            path.rename(kept)
            sync_directory(self._directory)
            return kept

    def load(self, username: str) -> SavedSession | None:
        """Return a user's session, None if none is kept. Raises SessionFileDamaged."""
        path = self.path(username)
        try:
            saved = decode_saved_session(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise SessionFileDamaged(path, self.server, username) from error
        if (server_identity(saved.server), saved.username) != (self._identity, username):
            raise SessionFileDamaged(path, self.server, username)
        return saved

    def pick(self, as_user: str | None) -> SavedSession:
        """Return the session of `as_user`, or the only one that is kept if `as_user` is None.

        Raises NotLoggedIn, SeveralSessions, SessionFileDamaged. Raises InvalidUsername if `as_user` is not a username.
        """
        username = folded_username(as_user) if as_user else self._only_username()
        saved = self.load(username)
        if saved is None:
            # Only this failure needs the module.
            from chatbooth_grpc.client.failures.near_names import near_names

            raise NotLoggedIn(self.server, username, near_names(username, self.usernames()))
        return saved

    def words_of(self, saved: SavedSession) -> list[str]:
        """Return the words of a command line that make a command act with a session."""
        return ["--as", saved.username]

    def ended(self, saved: SavedSession) -> CommandFailure:
        """Return the failure of a session that the server says has ended."""
        return SessionEnded(self.server, saved.username)

    def save(self, saved: SavedSession) -> None:
        """Keep a session in place of any other of that user."""
        with self._changing():
            self._write(saved)

    def note_shown(self, username: str, opening: Opening, through: int) -> None:
        """Keep the last sequence shown of the delivery that `opening` begins. Do nothing if the session is gone."""
        with self._changing():
            saved = self.load(username)
            if saved is not None and saved.session.account_id == opening.account_id:
                self._write(saved.with_shown(opening, through))

    def forget_shown(self, username: str, epoch: bytes) -> None:
        """Keep that no message was shown yet in the server's present history, which has this epoch."""
        with self._changing():
            saved = self.load(username)
            if saved is not None:
                self._write(saved.with_nothing_shown(epoch))

    def remove(self, saved: SavedSession) -> None:
        """Forget a session, unless another has taken its place."""
        with self._changing():
            current = self.load(saved.username)
            if current is not None and current.session.token == saved.session.token:
                self.path(saved.username).unlink()
                sync_directory(self._directory)

    @contextmanager
    def reading(
        self, username: str, wait: float, *, command: str = "", on_wait: OnWait | None = None
    ) -> Iterator[None]:
        """Be the only process that delivers for this user. Other processes learn that `command` does.

        `on_wait` gets the words of another process that delivers for this user. Raises AlreadyReading if that process
        still does so after `wait` seconds.
        """
        self._make_directories()
        holder = f"{command} (process {os.getpid()})"
        with file_lock(self._directory / f".{username}.reading", wait, holder=holder, on_wait=on_wait) as is_ours:
            if not is_ours:
                raise AlreadyReading(username)
            yield

    def _folder(self, server: str) -> Path:
        # The path of a socket has slashes.
        return self._parents[1] / server.replace("://", ":").replace("/", "%2F")

    def _outbox_path(self, saved: SavedSession) -> Path:
        # The name has the account's id too. An account that takes a freed name must not send messages of the old one.
        return self._directory / f"{folded_username(saved.username)}.{saved.session.account_id}{OUTBOX_SUFFIX}"

    def _only_username(self) -> str:
        usernames = self.usernames()
        if not usernames:
            raise NotLoggedIn(self.server, None)
        if len(usernames) > 1:
            raise SeveralSessions(self.server, usernames)
        return usernames[0]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock_file(".lock") as lock:
            # The lock is held for one write, and never while waiting for anything else.
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _lock_file(self, name: str) -> Iterator[int]:
        self._make_directories()
        lock = os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield lock
        finally:
            os.close(lock)

    def _make_directories(self) -> None:
        self._parents[0].parent.mkdir(parents=True, exist_ok=True)
        for directory in (*self._parents, self._directory):
            directory.mkdir(mode=0o700, exist_ok=True)
            if directory.stat().st_mode & 0o077:
                directory.chmod(0o700)

    def _write(self, saved: SavedSession) -> None:
        """Replace a file. After a crash, either the old or the new one is there whole. The caller holds the lock."""
        replace_file(self.path(saved.username), saved.encode())
