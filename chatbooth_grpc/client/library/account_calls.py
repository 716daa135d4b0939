"""The calls of `ChatClient` that decide who may reach and use the account."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import (
    CreateTokenRequest,
    EndSessionRequest,
    ListBlocksRequest,
    ListSessionsRequest,
    Reply,
    Request,
    SetBlockRequest,
    UnaryAction,
)
from chatbooth_grpc.booth.model import NewToken, Page, SessionEntry
from chatbooth_grpc.booth.rules import TOKEN_SIZE
from chatbooth_grpc.booth.tokens import MAX_LIFETIME, TokenLimits
from chatbooth_grpc.booth.unicode import check_unicode
from chatbooth_grpc.client.library.ranges import MAX_SEQUENCE, check_range


class AccountCalls(ABC):
    """The calls on blocks, sessions and tokens. `ChatClient` performs them."""

    @abstractmethod
    def _repeat(self, action: UnaryAction[Request, Reply], request: Request) -> Reply:
        """Perform an action of the session, which may be repeated without harm."""

    @abstractmethod
    def _call(self, action: UnaryAction[Request, Reply], request: Request) -> Reply:
        """Perform an action of the session, once."""

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

    def sessions(self) -> Iterator[SessionEntry]:
        """Yield the live sessions of the account, the oldest first. Fetches a page at a time."""
        page_token = ""
        while True:
            page = self._repeat(actions.LIST_SESSIONS, ListSessionsRequest(0, page_token))
            yield from page.sessions
            page_token = page.next_page_token
            if not page_token:
                return

    def end_session(self, session_id: int) -> None:
        """End a session of the account and its live streams, at once. `session_id` is its number in `sessions`.

        Raises SessionNotFound.
        """
        check_range(MAX_SEQUENCE, session_id=session_id)
        self._call(actions.END_SESSION, EndSessionRequest(session_id))

    def create_token(
        self,
        label: str,
        *,
        may_read: bool = False,
        may_send: bool = False,
        recipient: str | None = None,
        lifetime: int = 0,
    ) -> NewToken:
        """Make a token: a session for a program, which may do only what is named here.

        `label` is its name in `sessions`: 1 to 64 printable characters. With `may_read` it gets and acknowledges
        messages, with a cursor of its own. With a `recipient` it sends to that account alone, and with `may_send` to
        any. It expires after `lifetime` seconds, or never if that is 0. `end_session` ends it. A change of the password
        does not.

        Raises InvalidLabel, InvalidTokenLimits, InvalidUsername, RecipientNotFound, TokenNameTaken, LimitReached.
        NotPermitted: this session is a token itself.
        """
        check_unicode(label=label, recipient=recipient or "")
        check_range(MAX_LIFETIME, lifetime=lifetime)
        limits = TokenLimits(may_read, may_send or recipient is not None, recipient or "")
        # The client draws the secret, so that a repeat makes no second token.
        request = CreateTokenRequest(os.urandom(TOKEN_SIZE), label, limits, lifetime)
        return self._repeat(actions.CREATE_TOKEN, request)

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
