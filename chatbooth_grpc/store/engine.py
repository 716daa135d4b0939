"""The database below a group commit: what the group commit asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import NewMessage

TransactionT = TypeVar("TransactionT")
TransactionT_co = TypeVar("TransactionT_co", covariant=True)

Outcomes = list[Receipt | ChatboothError]


class EngineFailure(NamedTuple):
    """A failure of the database itself."""

    # The database's own words, for the log.
    cause: str
    # The error that the callers see.
    error: ChatboothError


class Engine(Protocol[TransactionT_co]):
    """One writing connection to a database. The writer's thread makes all calls, and no other thread.

    `begin`, `append`, the savepoints and `commit` may raise the database's own errors. `failure` recognizes them.
    """

    def begin(self) -> TransactionT_co:
        """Begin a transaction, and return what each piece of work in it receives.

        Raises StoreUnavailable: a restart would not find what a commit writes now.
        """

    def append(self, messages: Sequence[NewMessage]) -> Outcomes:
        """Append messages within the transaction, and return an outcome for each."""

    def savepoint(self) -> object:
        """Begin a part of the transaction that can be undone alone."""

    def undo_to_savepoint(self) -> object:
        """Undo what was written since the savepoint."""

    def release_savepoint(self) -> object:
        """End the part that the savepoint began."""

    def commit(self) -> bool:
        """Commit to stable storage; return whether the transaction has written anything.

        Raises StoreUnavailable: a restart would not find what was committed.
        """

    def roll_back(self) -> None:
        """Roll the transaction back, if one is open."""

    def failure(self, error: Exception) -> EngineFailure | None:
        """Return how the database has failed; None if `error` is a bug in a piece of work."""

    def end(self, *, committed: bool) -> None:
        """Take note of how a transaction ended. Called before any caller learns of it."""

    def announce(self, *, committed: bool) -> None:
        """Tell the watchers what a transaction changed. Called after its callers have been answered."""

    def rest(self) -> None:
        """Do what can wait a little. Called when no work has come for a while."""

    def close(self) -> None:
        """Close the connection."""
