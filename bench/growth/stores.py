"""Stores of a given size, made without a server, and the contents of their files."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from bench.filling import fill_mailbox
from bench.listing import make_accounts
from bench.performance.accounts import PASSWORD
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.credentials import hash_token, new_token
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore

MAILBOXES = 200
"""The number of mailboxes over which the messages are spread."""

TEXT = b"x" * 60
_PER_TURN = 1_000
_TABLES = ("messages", "recent_message_ids")


@dataclass(frozen=True)
class Store:
    """A store's file, the number of accounts that were made in it, and the session of one more account."""

    path: Path
    accounts: int
    caller: Session

    @property
    def late_prefix(self) -> str:
        """A prefix of a hundred names that sort after nearly all others. A scan from the first name would be slow."""
        return f"user{self.accounts - 100:07}"[:-2]


def make_store(path: Path, accounts: int) -> Store:
    """Make a store with this number of accounts that nobody logs in to, and with one more that calls."""
    make_accounts(path, accounts)
    with SQLiteStore(path) as store:
        return Store(path, accounts, Booth(store).sign_up("caller", PASSWORD))


def make_growing_stores(folder: Path, accounts: int, sizes: Sequence[int]) -> dict[int, Store]:
    """Make a store for each number of messages, all with the same accounts."""
    growing = make_store(folder / "growing.db", accounts)
    stores = {}
    stored = 0
    for size in sizes:
        add_messages(growing, stored, size)
        stored = size
        path = folder / f"messages-{size}.db"
        if size == sizes[-1]:
            growing.path.rename(path)
        else:
            shutil.copy(growing.path, path)
        stores[size] = dataclasses.replace(growing, path=path)
    return stores


def add_messages(filled: Store, start: int, end: int) -> None:
    """Grow a store from `start` messages to `end`. The mailboxes take turns, and get a thousand at each.

    Raises RuntimeError if one of them was not stored.
    """
    with SQLiteStore(filled.path) as store:
        booth = Booth(store)
        for turn, first in enumerate(range(start, end, _PER_TURN)):
            recipient = f"user{turn % MAILBOXES:07}"
            fill_mailbox(booth, filled.caller.token, recipient, min(_PER_TURN, end - first), TEXT)


def add_sessions(path: Path, count: int) -> list[bytes]:
    """Add this number of accounts, each with a session, and return the sessions' tokens."""
    tokens = [new_token() for _ in range(count)]
    with SQLiteStore(path) as store:
        for number, token in enumerate(tokens):
            store.create_account(f"listener{number:07}", "no password", hash_token(token))
    return tokens


def count_messages(path: Path) -> int:
    """Count the messages that mailboxes have received. A server may use the file at the same time."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(connection.execute("SELECT total(last_sequence) FROM mailboxes").get)
    finally:
        connection.close()


def file_parts(path: Path) -> dict[str, tuple[int, int]]:
    """Return the contents of the file: for each table the bytes of its rows, and the bytes of its pages."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        parts = {
            str(name): (int(payload), int(pages))
            for name, payload, pages in connection.execute(
                "SELECT name, payload, pgsize FROM dbstat WHERE aggregate = 1"
            )
        }
    finally:
        connection.close()
    found = {name: parts.pop(name) for name in _TABLES}
    found["all else"] = (sum(payload for payload, _ in parts.values()), sum(pages for _, pages in parts.values()))
    return found
