"""A store with two people, and a switchboard over it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import Clock, append


class Place:
    """Alice sends, bob listens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.store = SQLiteStore(path, clock=self.clock)
        self.alice = self.store.create_account("alice", "hash", os.urandom(32))
        self.bob = self.store.create_account("bob", "hash", os.urandom(32))

    def send(self, *texts: bytes) -> None:
        """Send texts to bob in one commit."""
        digest = hashlib.blake2b(digest_size=16).digest()
        append(
            self.store, [NewMessage(self.alice, OutgoingMessage("bob", os.urandom(16), text), digest) for text in texts]
        )

    def another_session(self) -> StoredSession:
        """Log bob in on another device."""
        account = self.store.account("bob")
        assert account is not None
        return self.store.create_session(account, os.urandom(32))

    def delete_bob(self) -> None:
        """Delete bob's account."""
        account = self.store.account("bob")
        assert account is not None
        self.store.delete_account(self.bob, account, 0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The store."""
    found = Place(tmp_path / "chatbooth.db")
    yield found
    found.store.close()


@pytest.fixture
def switchboard(place: Place) -> Iterator[Switchboard]:
    """The switchboard."""
    board = Switchboard(place.store, max_listeners=50, per_account=50)
    yield board
    board.drain(1)
