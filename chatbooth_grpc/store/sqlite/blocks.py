"""Blocks: an account that blocks a sender gets no more messages of it."""

from __future__ import annotations

from chatbooth_grpc.booth.errors import LimitReached, RecipientNotFound
from chatbooth_grpc.booth.store import MAX_BLOCKS, StoredSession
from chatbooth_grpc.store.sqlite.mailboxes import bounds_for
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.store_part import StorePart
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction


def set_block(transaction: WriteTransaction, session: StoredSession, username: str, *, is_blocked: bool) -> None:
    """Block an account for the account of a session, or unblock it. Raises RecipientNotFound, LimitReached."""
    account_id = transaction.execute("account_id_by_name", (username,)).get
    if account_id is None:
        raise RecipientNotFound(username)
    if not is_blocked:
        transaction.execute("delete_block", (session.mailbox_id, account_id))
    elif transaction.execute("is_blocked", (session.mailbox_id, account_id)).get is None:
        _check_room(transaction, session.mailbox_id)
        transaction.block(session, account_id)


def _check_room(transaction: WriteTransaction, mailbox_id: int) -> None:
    """Check that a mailbox may block one sender more. Raises LimitReached."""
    if transaction.execute("count_blocks", (mailbox_id,)).get < MAX_BLOCKS:
        return
    if transaction.write("delete_outlived_blocks", (mailbox_id,)) == 0:
        raise LimitReached(MAX_BLOCKS, "blocks")


class BlocksPart(StorePart):
    """The store's methods for blocks. `Store` documents them."""

    def set_block(self, session: StoredSession, username: str, *, is_blocked: bool) -> None:
        self._change(session, lambda transaction: set_block(transaction, session, username, is_blocked=is_blocked))

    def blocked_usernames(self, session: StoredSession, after: str, limit: int) -> bytes:
        bindings = {"mailbox_id": session.mailbox_id, "after": after, "limit": limit}
        with self._reader() as connection:
            # A session that has ended reads nothing.
            bounds_for(connection, session)
            return bytes(connection.execute(SQL["blocked_usernames"], bindings).get)
