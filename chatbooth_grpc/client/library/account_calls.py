"""The calls of `ChatClient` that decide who may reach and use the account."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import ListBlocksRequest, Reply, Request, SetBlockRequest, UnaryAction
from chatbooth_grpc.booth.model import Page
from chatbooth_grpc.booth.unicode import check_unicode


class AccountCalls:
    """The calls on blocks. `ChatClient` performs them."""

    def _repeat(self, action: UnaryAction[Request, Reply], request: Request) -> Reply:
        """Perform an action of the session, which may be repeated without harm."""
        raise NotImplementedError

    def block(self, username: str) -> None:
        """Block another account, so that it cannot send to this one. It may be blocked already.

        Raises InvalidUsername, BlocksOneself, RecipientNotFound, LimitReached.
        """
        self._set_block(username, is_blocked=True)

    def unblock(self, username: str) -> None:
        """Unblock another account. It need not be blocked. Raises InvalidUsername, BlocksOneself, RecipientNotFound."""
        self._set_block(username, is_blocked=False)

    def blocks(self) -> Iterator[str]:
        """Yield the names of the accounts that this one blocks, sorted. Fetches a page at a time."""
        return _all_names(self._page_of_blocks)

    def _set_block(self, username: str, *, is_blocked: bool) -> None:
        check_unicode(username=username)
        self._repeat(actions.SET_BLOCK, SetBlockRequest(username, is_blocked))

    def _page_of_blocks(self, page_token: str) -> Page:
        return self._repeat(actions.LIST_BLOCKS, ListBlocksRequest(0, page_token))


def _all_names(page_of: Callable[[str], Page]) -> Iterator[str]:
    page_token = ""
    while True:
        page = page_of(page_token)
        yield from page.usernames
        page_token = page.next_page_token
        if not page_token:
            return
