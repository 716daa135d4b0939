"""The interface of a store for administrators, beside the one for the booth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chatbooth_grpc.booth.invites import Invite, NewInvite
from chatbooth_grpc.booth.model import Removal


class MaintenanceFailed(Exception):
    """Work on a store's files could not be done. The text says to a person why, and what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a long piece of work: the words for its current step, and how much of `total` is done.

    `total` 0 means that nobody knows how long the step takes.
    """

    step: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class User:
    """An account as its administrator sees it. Times are in microseconds since 1970 UTC."""

    username: str
    account_id: int
    create_time: int
    # The latest use of a session that is still alive. 0 if the account has no session.
    used_time: int
    sessions: int
    # How many messages no session has acknowledged yet.
    unacknowledged: int
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts over a whole store, and the sizes of its files in bytes."""

    accounts: int
    disabled: int
    sessions: int
    # How many messages are kept, and how many of these no session has acknowledged yet.
    messages: int
    unacknowledged: int
    # How many mailboxes deleted accounts have left, whose rows are still being removed.
    mailboxes_to_remove: int
    held_names: int
    # The version of the schema.
    schema: int
    epoch: bytes
    file_size: int
    log_size: int
    # How much of the file is free and would go with a vacuum.
    free_size: int


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup: its file, its size in bytes, and how many messages it holds."""

    path: Path
    size: int
    messages: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a store is not as it should be. The check's name is stable, and the words are for a person."""

    check: str
    words: str


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """The file's size before and after a vacuum, in bytes."""

    size_before: int
    size_after: int


@dataclass(frozen=True, slots=True)
class Verified:
    """A file that was looked at: its schema, how many messages it holds, and whether all checks could be made.

    The checks beyond the file itself need the newest schema.
    """

    schema: int
    messages: int
    is_of_newest_schema: bool


@dataclass(frozen=True, slots=True)
class Restoration:
    """A finished restore: how many messages the store has now, and where the store before it is kept."""

    messages: int
    former: Path | None


class AdminStore(Protocol):
    """The operations of an administrator on a store, whether a server serves it or not.

    An operation that names a user raises RecipientNotFound if there is no such account. A long operation is an
    iterator: it does its work while it is iterated, and undoes what is half done if it is closed before its end.
    Each may raise MaintenanceFailed, and the store's StoreUnavailable, StoreFull and DeadlineExceeded.
    """

    def usernames(self, prefix: str, after: str, limit: int) -> bytes:
        """Read names as `Store.usernames` does."""

    def users(self, usernames: Sequence[str]) -> list[User]:
        """Read the records of these accounts. Accounts that do not exist are left out."""

    def problem(self) -> str:
        """Return why the store cannot be written, as far as it is known. The result is empty if it can be written."""

    def statistics(self) -> Statistics:
        """Return counts over the store, and the sizes of its files."""

    def unacknowledged(self) -> int:
        """Count the messages that their recipients have not acknowledged. This reads one row for each mailbox."""

    def set_disabled(self, username: str, *, is_disabled: bool) -> int:
        """Disable or enable an account. Return how many sessions ended.

        A disabled account has no sessions and gets none. Its name stays taken, and its mailbox still receives messages.
        """

    def set_password(self, username: str, password_hash: str) -> int:
        """Give an account another password, and end all of its sessions. Return how many ended."""

    def delete_user(self, username: str, name_hold: float) -> Removal:
        """Delete an account as `Store.delete_account` does."""

    def create_invite(self, new: NewInvite) -> Invite:
        """Make an invite."""

    def invites(self, after: int, limit: int) -> list[Invite]:
        """Read up to `limit` invites whose ids follow `after`, in their order."""

    def revoke_invite(self, invite_id: int) -> None:
        """End an invite. If it has ended already, its record says from now on that it was revoked."""

    def backup(self, target: Path, *, force: bool) -> Iterator[Progress | Backup]:
        """Copy the store into a new file, as of one moment, while it is in use. The last item is the Backup.

        The file is in place only when it is whole, was checked, and is on stable storage. `force` lets it replace
        another file.
        """

    def check(self) -> Iterator[Progress | Finding]:
        """Check whether the store is intact and keeps its invariants."""

    def export(self, username: str) -> Iterator[Mapping[str, object]]:
        """Read all that the store holds about a person, as records that fit into JSON. No record has a secret."""

    def vacuum(self) -> Iterator[Progress | Vacuumed]:
        """Write the store's file anew, without its free space. Messages wait meanwhile. The last item is Vacuumed."""

    def interrupt(self) -> None:
        """End the long reading in progress soon, with StoreUnavailable, and refuse more. Safe from any thread."""


class StorePlace(Protocol):
    """The place of a store's data. A server may be serving it. The methods raise MaintenanceFailed."""

    def open(self) -> AbstractContextManager[AdminStore]:
        """Open the store for as long as the block lasts. Refused if there is no store, or if a server serves it."""

    def verify(self, file: Path) -> Iterator[Progress | Finding | Verified]:
        """Check whether a backup is intact and keeps a store's invariants. The last item is Verified."""

    def restore(self, file: Path) -> Iterator[Progress | Restoration]:
        """Put a backup in the store's place, with a new epoch. Keep the store before it. The last item is Restoration.

        Refused if a server serves the store.
        """
