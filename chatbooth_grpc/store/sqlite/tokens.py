"""Tokens: making one, and ending those that expire."""

from __future__ import annotations

from typing import Any

from chatbooth_grpc.booth.errors import LimitReached, RecipientNotFound, SessionInvalid, TokenNameTaken
from chatbooth_grpc.booth.model import SessionKind
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.booth.store_clock import SECOND
from chatbooth_grpc.booth.tokens import MAX_TOKENS, StoredLimits, TokenLimits
from chatbooth_grpc.store.sqlite.store_part import StorePart
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

PERSON, TOKEN = int(SessionKind.PERSON), int(SessionKind.TOKEN)


def session_of_row(row: Any) -> StoredSession:
    """Return the session of a row of the statement `session_by_token`."""
    session_id, account_id, username, mailbox_id, cursor, used_time, kind, *limits, recipient_mailbox, expire_time = row
    stored = None if kind == PERSON else StoredLimits(limits_of_row(limits), recipient_mailbox, expire_time)
    return StoredSession(session_id, account_id, username, mailbox_id, cursor, used_time, stored)


def limits_of_row(row: Any) -> TokenLimits:
    """Return the limits of a token: of whether it may read and send, and the id and the name of its recipient."""
    may_read, may_send, recipient_id, recipient = row
    return TokenLimits(bool(may_read), bool(may_send), recipient or "", recipient_id or 0)


def create_token(
    transaction: WriteTransaction,
    session: StoredSession,
    token_hash: bytes,
    label: str,
    limits: TokenLimits,
    *,
    create_time: int,
    now: int,
    expire_time: int | None,
) -> StoredSession:
    """Make a token as `Store.create_token` describes. `create_time` is the time of day, the others are store times."""
    recipient_id = _recipient_id(transaction, limits)
    earlier = _find(transaction, token_hash)
    if earlier is not None:
        _check_repeat(transaction, session, earlier, label, limits._replace(recipient_id=recipient_id or 0))
        return earlier
    if transaction.execute("token_by_label", (session.account_id, label)).get is not None:
        raise TokenNameTaken(label)
    if transaction.execute("count_tokens", (session.account_id,)).get >= MAX_TOKENS:
        raise LimitReached(MAX_TOKENS, "tokens")
    row = {
        "account_id": session.account_id,
        "token_hash": token_hash,
        "label": label,
        "may_read": int(limits.may_read),
        "may_send": int(limits.may_send),
        "recipient_id": recipient_id,
        "create_time": create_time,
        "used_time": now,
        "expire_time": expire_time,
    }
    transaction.execute("insert_token", row)
    made = _find(transaction, token_hash)
    # The session that asks for it has an account and a mailbox.
    assert made is not None  # noqa: S101
    return made


def _recipient_id(transaction: WriteTransaction, limits: TokenLimits) -> int | None:
    if not limits.recipient:
        return None
    recipient_id: int | None = transaction.execute("account_id_by_name", (limits.recipient,)).get
    if recipient_id is None:
        raise RecipientNotFound(limits.recipient)
    return recipient_id


def _check_repeat(
    transaction: WriteTransaction, session: StoredSession, earlier: StoredSession, label: str, limits: TokenLimits
) -> None:
    """Raise SessionInvalid unless the same token was asked for before."""
    is_same = earlier.limits is not None and earlier.limits.limits == limits
    if not is_same or transaction.execute("token_by_label", (session.account_id, label)).get != earlier.session_id:
        raise SessionInvalid("IN_USE")


def _find(transaction: WriteTransaction, token_hash: bytes) -> StoredSession | None:
    row = transaction.execute("session_by_token", (token_hash,)).fetchone()
    return None if row is None else session_of_row(row)


def expire_tokens(transaction: WriteTransaction, through: int, limit: int) -> int:
    """End up to `limit` tokens that expire at a store time or earlier, and return how many."""
    expired: list[Any] = transaction.execute("expired_tokens", (through, limit)).fetchall()
    for session_id, mailbox_id in expired:
        transaction.end_session(session_id, mailbox_id)
    return len(expired)


class TokensPart(StorePart):
    """The store's methods that make and expire tokens. `Store` documents them."""

    def create_token(
        self, session: StoredSession, token_hash: bytes, label: str, limits: TokenLimits, lifetime: int
    ) -> StoredSession:
        def create(transaction: WriteTransaction) -> StoredSession:
            now = self.clock.now()
            expire_time = now + lifetime * SECOND if lifetime else None
            times = {"create_time": self._clock(), "now": now}
            return create_token(transaction, session, token_hash, label, limits, **times, expire_time=expire_time)

        return self._change(session, create)

    def expire_tokens(self, through: int, limit: int) -> int:
        return self._change(None, lambda transaction: expire_tokens(transaction, through, limit))
