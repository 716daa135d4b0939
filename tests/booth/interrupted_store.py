"""A SQLite store in which a test acts, blocks or raises when a method is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.booth.store import Batch, NewMessage, Settle, StoredAccount, StoredSession
from chatbooth_grpc.store.jobs import AppendJob
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore


class _InterruptedAppend(AppendJob):
    """Calls `before` on the writer's thread. It may block there, because the caller must not be blocked."""

    before: Callable[[], None]

    def admit(self, now: float) -> bool:
        if not super().admit(now):
            return False
        try:
            self.before()
        except ChatboothError as error:
            self.fail(error)
            return False
        return True


class InterruptedStore(SQLiteStore):
    """Calls `before` with a method's name, then does as any SQLite store.

    For an append that is twice: with "append_later" on the caller's thread, with "append" on the writer's.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.before: Callable[[str], None] = lambda method: None

    def create_account(
        self, username: str, password_hash: str, token_hash: bytes, label: str = "", invite_hash: bytes | None = None
    ) -> StoredSession:
        self.before("create_account")
        return super().create_account(username, password_hash, token_hash, label, invite_hash)

    def account(self, username: str) -> StoredAccount | None:
        self.before("account")
        return super().account(username)

    def usernames(self, prefix: str, after: str, limit: int) -> bytes:
        self.before("usernames")
        return super().usernames(prefix, after, limit)

    def replace_password_hash(self, account: StoredAccount, password_hash: str) -> None:
        self.before("replace_password_hash")
        super().replace_password_hash(account, password_hash)

    def change_password(self, session: StoredSession, account: StoredAccount, password_hash: str) -> int:
        self.before("change_password")
        return super().change_password(session, account, password_hash)

    def delete_account(self, session: StoredSession, account: StoredAccount, name_hold: float) -> Removal:
        self.before("delete_account")
        return super().delete_account(session, account, name_hold)

    def create_session(self, account: StoredAccount, token_hash: bytes, label: str = "") -> StoredSession:
        self.before("create_session")
        return super().create_session(account, token_hash, label)

    def session(self, token_hash: bytes) -> StoredSession | None:
        self.before("session")
        return super().session(token_hash)

    def touch_session(self, session: StoredSession) -> None:
        self.before("touch_session")
        super().touch_session(session)

    def end_session(self, session: StoredSession) -> None:
        self.before("end_session")
        super().end_session(session)

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        self.before("append_later")
        job = _InterruptedAppend(messages, settle)
        job.before = lambda: self.before("append")
        self._writer.hand_over(job)

    def after(self, session: StoredSession, sequence: int | None, max_messages: int, max_size: int) -> Batch:
        self.before("after")
        return super().after(session, sequence, max_messages, max_size)

    def acknowledge(self, session: StoredSession, through: int) -> None:
        self.before("acknowledge")
        super().acknowledge(session, through)
