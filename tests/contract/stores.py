"""The stores that the contract holds for, their clock, and short words for using one."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import apsw

from chatbooth_grpc.booth.admin_store import AdminStore
from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, Internal, StoreFull, StoreUnavailable
from chatbooth_grpc.booth.invites import NewInvite
from chatbooth_grpc.booth.model import Message, OutgoingMessage, Receipt
from chatbooth_grpc.booth.sending import wait_for
from chatbooth_grpc.booth.store import NewMessage, Outcome, RetentionStep, Store, StoredAccount, StoredSession
from chatbooth_grpc.booth.store_clock import END_OF_TIME, Stamps
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore

FAILURES = (StoreUnavailable, StoreFull, DeadlineExceeded, Internal)
"""How a store fails, whatever the messages are."""

PLENTY = 1 << 30
"""More messages, or bytes, than any test stores."""


class Clock:
    """A clock that only tests move. It returns microseconds since 1970 UTC."""

    def __init__(self) -> None:
        self.now = 1_760_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1_000_000)


class Home(Protocol):
    """The place of one store's data, whether the store is open or not."""

    clock: Clock

    def open(self) -> Store:
        """Open the store. Its data outlives it."""

    def back_up(self) -> Callable[[], None]:
        """Copy the data of the closed store, and return a function that puts the copy back."""

    def failing(self, store: Store) -> AbstractContextManager[None]:
        """Let every transaction of an open store fail inside a `with` block, each with an error of its own."""


class SQLiteHome:
    """A file in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "chatbooth.db"
        self.clock = Clock()

    def open(self) -> SQLiteStore:
        return SQLiteStore(self.path, clock=self.clock)

    def back_up(self) -> Callable[[], None]:
        copy = self.path.with_name("backup.db")
        shutil.copy(self.path, copy)

        def put_back() -> None:
            shutil.copy(copy, self.path)

        return put_back

    @contextmanager
    def failing(self, store: Store) -> Iterator[None]:
        def fail() -> bool:
            raise StoreUnavailable

        assert isinstance(store, SQLiteStore)
        with patch.object(store._engine, "commit", fail):
            yield


HOMES: dict[str, Callable[[Path], Home]] = {"sqlite": SQLiteHome}
"""Every kind of store, by name, each made in an empty directory of its own."""


def administration(store: Store) -> AdminStore:
    """An administrator's operations on an open store."""
    assert isinstance(store, SQLiteStore)
    return store.administration


def new_token_hash() -> bytes:
    """Return a hash that no other session has."""
    return os.urandom(32)


def sign_up(store: Store, username: str, token_hash: bytes | None = None) -> StoredSession:
    """Make an account whose password hash is `hash of USERNAME`, and return its session."""
    return store.create_account(username, f"hash of {username}", token_hash or new_token_hash())


def make_invite(store: Store, **settings: Any) -> bytes:
    """Make an invite, and return the hash of its code."""
    code_hash = new_token_hash()
    administration(store).create_invite(NewInvite(code_hash, **settings))
    return code_hash


def sign_up_with(store: Store, username: str, invite_hash: bytes, token_hash: bytes | None = None) -> StoredSession:
    """Make an account with an invite."""
    return store.create_account(username, "a hash", token_hash or new_token_hash(), "", invite_hash)


def log_in(store: Store, username: str, token_hash: bytes | None = None) -> StoredSession:
    """Open one more session of an account."""
    return store.create_session(stored_account(store, username), token_hash or new_token_hash())


def stored_account(store: Store, username: str) -> StoredAccount:
    """Return the account of that name, which must exist."""
    account = store.account(username)
    assert account is not None
    return account


def names_of(store: Store, prefix: str = "", after: str = "", limit: int = PLENTY) -> list[str]:
    """Return the names of all accounts, read from the store."""
    names = store.usernames(prefix, after, limit).decode("ascii")
    return names.split("\n") if names else []


def new_message(
    session: StoredSession, recipient: str, text: str = "hello", message_id: bytes | None = None
) -> NewMessage:
    """Return a message from a session, under a new id if none is given."""
    content = text.encode()
    outgoing = OutgoingMessage(recipient, message_id or uuid.uuid4().bytes, content)
    return NewMessage(session, outgoing, hashlib.blake2b(content, digest_size=16).digest())


def append(store: Store, messages: Sequence[NewMessage]) -> Sequence[Outcome]:
    """Append messages together, and wait for their outcomes. Raise the error with which the store failed."""
    outcomes = wait_for(partial(store.append_later, messages))
    failures = [outcome for outcome in outcomes if isinstance(outcome, FAILURES)]
    if failures and not any(new.lane for new in messages):
        raise failures[0]
    return outcomes


def send(store: Store, message: NewMessage) -> Receipt:
    """Append one message. Raise its refusal."""
    (outcome,) = append(store, [message])
    if isinstance(outcome, ChatboothError):
        raise outcome
    return outcome


def send_texts(store: Store, session: StoredSession, recipient: str, *texts: str) -> None:
    """Append several messages under new ids, all of which must be stored."""
    outcomes = append(store, [new_message(session, recipient, text) for text in texts])
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)


def delete(store: Store, session: StoredSession, name_hold: float = 0.0) -> None:
    """Delete the session's account."""
    store.delete_account(session, stored_account(store, session.username), name_hold)


def stamped_from(time: int) -> Stamps:
    """Return the stamps of a time and later."""
    return [(time, END_OF_TIME)]


def retain(store: Store, accepted_before: int | None) -> int:
    """Let retention walk once over all mailboxes. Return how many messages it removed."""
    return sum(step.removed for step in retention_steps(store, accepted_before))


def retention_steps(store: Store, accepted_before: int | None) -> Iterator[RetentionStep]:
    """Take the steps of one walk."""
    age = None if accepted_before is None else (store.clock.now() - accepted_before) / 1_000_000
    yield (step := store.remove_old(age))
    while step.go_on_from is not None:
        yield (step := store.remove_old(age, step.go_on_from))


def mailbox(store: Store, session: StoredSession, after: int = 0) -> list[Message]:
    """Return all messages in the session's mailbox after a sequence."""
    return store.after(session, after, PLENTY, PLENTY).messages


def texts(store: Store, session: StoredSession) -> list[str]:
    """Return the texts in the session's mailbox, in order."""
    return [message.text for message in mailbox(store, session)]


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that clients have stored in a file. The row of `store` is left out, since it changes with the log."""
    connection = apsw.Connection(str(path))
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            table: connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables if table != "store"
        }
    finally:
        connection.close()


def is_gap_free(messages: list[Message]) -> bool:
    """Return whether the sequences are 1, 2, 3 …"""
    return [message.sequence for message in messages] == list(range(1, len(messages) + 1))
