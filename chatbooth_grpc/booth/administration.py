"""The operations of an administrator, with their rules, over an `AdminStore`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chatbooth_grpc.booth.admin_store import AdminStore, User
from chatbooth_grpc.booth.credentials import Passwords
from chatbooth_grpc.booth.listing import Listing
from chatbooth_grpc.booth.model import Limits, Removal
from chatbooth_grpc.booth.rules import checked_new_password, folded_username

DEFAULT_PAGE_SIZE = 100
"""How many users a page has, if nobody says how many."""

MAX_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class UserPage:
    """A page of users, and the token of the next page. An empty token means that there is none."""

    users: list[User]
    next_page_token: str


class Administration:
    """What the server's local service and the command line on a stopped store both do.

    Operations without rules of their own are the store's: `store`.
    """

    def __init__(
        self, store: AdminStore, *, name_hold: float = Limits().name_hold, passwords: Passwords | None = None
    ) -> None:
        """`name_hold` is for how many seconds a deleted account's name is held."""
        self.store = store
        self._name_hold = name_hold
        self._passwords = passwords or Passwords()

    def users(self, pattern: str = "", page_size: int = 0, page_token: str = "") -> UserPage:
        """Return a page of the users whose names `pattern` finds. Raises InvalidPattern, InvalidPageToken."""
        listing = Listing(pattern, "")
        wanted = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        page = listing.page(lambda after, limit: self.store.usernames("", after, limit), wanted, page_token)
        return UserPage(self.store.users(page.usernames), page.next_page_token)

    def set_disabled(self, username: str, *, is_disabled: bool) -> int:
        """Disable or enable an account. Return how many sessions ended.

        Raises InvalidUsername, RecipientNotFound.
        """
        return self.store.set_disabled(folded_username(username), is_disabled=is_disabled)

    def reset_password(self, username: str, password: str) -> int:
        """Give an account another password, end its sessions, and return how many.

        Raises InvalidUsername, InvalidPassword, RecipientNotFound.
        """
        normal = checked_new_password(password, "password")
        return self.store.set_password(folded_username(username), self._passwords.hash(normal))

    def delete(self, username: str) -> Removal:
        """Delete an account, at once and whole, and hold its name. Raises InvalidUsername, RecipientNotFound."""
        return self.store.delete_user(folded_username(username), self._name_hold)

    def export(self, username: str) -> Iterator[Mapping[str, object]]:
        """Read all about a person, as `AdminStore.export` does. Raises InvalidUsername, RecipientNotFound."""
        return self.store.export(folded_username(username))
