"""The operations of an administrator, with their rules, over an `AdminStore`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chatbooth_grpc.booth.admin_store import AdminStore, Backup, Finding, Progress, Statistics, User, Vacuumed
from chatbooth_grpc.booth.credentials import Passwords
from chatbooth_grpc.booth.invites import (
    DEFAULT_LIFETIME,
    DEFAULT_USES,
    Invite,
    NewInvite,
    check_new_invite,
    hash_code,
    new_code,
)
from chatbooth_grpc.booth.listing import Listing, decode_place, encode_place
from chatbooth_grpc.booth.model import Limits, Removal
from chatbooth_grpc.booth.rules import checked_new_password, folded_username

DEFAULT_PAGE_SIZE = 100
"""How many users or invites a page has by default."""

MAX_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class UserPage:
    """A page of users, and the token of the next page. An empty token means that there is none."""

    users: list[User]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class InvitePage:
    """A page of invites, and the token of the next page. An empty token means that there is none."""

    invites: list[Invite]
    next_page_token: str


class AdminActions(Protocol):
    """The actions of an administrator, performed by a running server or by this process.

    A method that names a user raises InvalidUsername and RecipientNotFound. Each may raise MaintenanceFailed and the
    store's errors. `AdminStore` says what the iterators give.
    """

    def users(self, pattern: str = "", page_size: int = 0, page_token: str = "") -> UserPage:
        """Return a page of the users whose names `pattern` finds. Raises InvalidPattern, InvalidPageToken."""

    def problem(self) -> str:
        """Return why the store cannot be written, as far as it is known. The result is empty if it can be written."""

    def statistics(self) -> Statistics:
        """Return counts over the store, and the sizes of its files."""

    def set_disabled(self, username: str, *, is_disabled: bool) -> int:
        """Disable or enable an account. Return how many sessions ended."""

    def delete(self, username: str) -> Removal:
        """Delete an account, at once and whole, and hold its name."""

    def reset_password(self, username: str, password: str) -> int:
        """Give an account another password, end its sessions, and return how many. Raises InvalidPassword."""

    def create_invite(
        self, uses: int = DEFAULT_USES, lifetime: float | None = DEFAULT_LIFETIME, note: str = ""
    ) -> tuple[str, Invite]:
        """Make an invite and return its code, which nobody can read later. Raises InvalidInvite.

        It is good for `uses` sign-ups and `lifetime` seconds. None: it has no end.
        """

    def invites(self, page_size: int = 0, page_token: str = "") -> InvitePage:
        """Return a page of the invites, the oldest first. Raises InvalidPageToken."""

    def revoke_invite(self, invite_id: int) -> None:
        """End an invite. Raises InviteNotFound."""

    def export(self, username: str) -> Iterator[Mapping[str, object]]:
        """Read all about a person."""

    def backup(self, target: Path, *, force: bool) -> Iterator[Progress | Backup]:
        """Copy the store into a file."""

    def check(self) -> Iterator[Progress | Finding]:
        """Check whether the store is sound."""

    def vacuum(self) -> Iterator[Progress | Vacuumed]:
        """Write the store's file anew."""


class Administration:
    """The `AdminActions` on a store: the server's local service and the command line on a stopped store use it."""

    def __init__(
        self, store: AdminStore, *, name_hold: float = Limits().name_hold, passwords: Passwords | None = None
    ) -> None:
        """`name_hold` is how long a deleted account's name is held, in seconds."""
        self._store = store
        self._name_hold = name_hold
        self._passwords = passwords or Passwords()

    def users(self, pattern: str = "", page_size: int = 0, page_token: str = "") -> UserPage:
        listing = Listing(pattern, "")
        wanted = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        page = listing.page(lambda after, limit: self._store.usernames("", after, limit), wanted, page_token)
        return UserPage(self._store.users(page.usernames), page.next_page_token)

    def problem(self) -> str:
        return self._store.problem()

    def statistics(self) -> Statistics:
        return self._store.statistics()

    def set_disabled(self, username: str, *, is_disabled: bool) -> int:
        return self._store.set_disabled(folded_username(username), is_disabled=is_disabled)

    def delete(self, username: str) -> Removal:
        return self._store.delete_user(folded_username(username), self._name_hold)

    def reset_password(self, username: str, password: str) -> int:
        normal = checked_new_password(password, "password")
        return self._store.set_password(folded_username(username), self._passwords.hash(normal))

    def create_invite(
        self, uses: int = DEFAULT_USES, lifetime: float | None = DEFAULT_LIFETIME, note: str = ""
    ) -> tuple[str, Invite]:
        code = new_code()
        code_hash = hash_code(code)
        # Every new code has a hash.
        assert code_hash is not None  # noqa: S101
        new = NewInvite(code_hash, uses, lifetime, note)
        check_new_invite(new)
        return code, self._store.create_invite(new)

    def invites(self, page_size: int = 0, page_token: str = "") -> InvitePage:
        wanted = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        found = self._store.invites(decode_place(page_token), wanted + 1)
        more = encode_place(found[wanted - 1].invite_id) if len(found) > wanted else ""
        return InvitePage(found[:wanted], more)

    def revoke_invite(self, invite_id: int) -> None:
        self._store.revoke_invite(invite_id)

    def export(self, username: str) -> Iterator[Mapping[str, object]]:
        return self._store.export(folded_username(username))

    def backup(self, target: Path, *, force: bool) -> Iterator[Progress | Backup]:
        return self._store.backup(target, force=force)

    def check(self) -> Iterator[Progress | Finding]:
        return self._store.check()

    def vacuum(self) -> Iterator[Progress | Vacuumed]:
        return self._store.vacuum()

    def interrupt(self) -> None:
        """End the long work in progress soon, and refuse more. Safe to call from any thread."""
        self._store.interrupt()
