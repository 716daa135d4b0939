"""Every kind of change of a store, each with its preparation and a check of its result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.booth.tokens import TokenLimits
from tests.contract.stores import Clock, log_in, new_token_hash, retain, send_texts, sign_up, stored_account, texts


class Change(ABC):
    """A change of a store in which ann and bob have accounts, and ann two messages."""

    changes: ClassVar[list[type[Change]]] = []

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ann_token, self.new_token = new_token_hash(), new_token_hash()

    def __init_subclass__(cls) -> None:
        Change.changes.append(cls)

    def prepare(self, store: Store) -> None:
        """Prepare a new store for the change."""
        self.ann = sign_up(store, "ann", self.ann_token)
        self.bob = sign_up(store, "bob")
        send_texts(store, self.bob, "ann", "one", "two")

    @abstractmethod
    def make(self, store: Store) -> None:
        """Make the change."""

    @abstractmethod
    def is_in(self, store: Store) -> bool:
        """Say whether a store holds the change."""


class CreateAccount(Change):
    def make(self, store: Store) -> None:
        self.cat = sign_up(store, "cat", self.new_token)

    def is_in(self, store: Store) -> bool:
        return store.account("cat") is not None and store.session(self.new_token) == self.cat


class ReplacePasswordHash(Change):
    def make(self, store: Store) -> None:
        store.replace_password_hash(stored_account(store, "ann"), "better")

    def is_in(self, store: Store) -> bool:
        return stored_account(store, "ann").password_hash == "better"


class ChangePassword(Change):
    def prepare(self, store: Store) -> None:
        super().prepare(store)
        log_in(store, "ann", self.new_token)

    def make(self, store: Store) -> None:
        store.change_password(self.ann, stored_account(store, "ann"), "new")

    def is_in(self, store: Store) -> bool:
        return stored_account(store, "ann").password_hash == "new" and store.session(self.new_token) is None


class DeleteAccount(Change):
    def make(self, store: Store) -> None:
        store.delete_account(self.ann, stored_account(store, "ann"), 0)

    def is_in(self, store: Store) -> bool:
        return store.account("ann") is None and store.session(self.ann_token) is None


class CreateSession(Change):
    def make(self, store: Store) -> None:
        log_in(store, "ann", self.new_token)

    def is_in(self, store: Store) -> bool:
        return store.session(self.new_token) is not None


class CreateToken(Change):
    def make(self, store: Store) -> None:
        store.create_token(self.ann, self.new_token, "bot", TokenLimits(may_read=True), 60)

    def is_in(self, store: Store) -> bool:
        token = store.session(self.new_token)
        return token is not None and token.limits is not None


class TouchSession(Change):
    def prepare(self, store: Store) -> None:
        super().prepare(store)
        self.clock.advance(60)

    def make(self, store: Store) -> None:
        store.touch_session(self.ann)

    def is_in(self, store: Store) -> bool:
        session = store.session(self.ann_token)
        return session is not None and session.used_time == self.clock.now


class EndSession(Change):
    def make(self, store: Store) -> None:
        store.end_session(self.ann)

    def is_in(self, store: Store) -> bool:
        return store.session(self.ann_token) is None


class Append(Change):
    def make(self, store: Store) -> None:
        send_texts(store, self.bob, "ann", "three")

    def is_in(self, store: Store) -> bool:
        return texts(store, self.ann) == ["one", "two", "three"]


class Acknowledge(Change):
    def make(self, store: Store) -> None:
        store.acknowledge(self.ann, 2)

    def is_in(self, store: Store) -> bool:
        session = store.session(self.ann_token)
        return session is not None and store.after(session, None, 0, 0).cursor == 2


class RemoveOld(Change):
    def prepare(self, store: Store) -> None:
        super().prepare(store)
        store.acknowledge(self.ann, 1)
        self.clock.advance(60)

    def make(self, store: Store) -> None:
        retain(store, self.clock.now)

    def is_in(self, store: Store) -> bool:
        return store.after(self.ann, 0, 0, 0).removed_through == 1 and texts(store, self.ann) == ["two"]
