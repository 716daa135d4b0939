"""The interface between a group commit and its database."""

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

        Raises StoreUnavailable if a restart would not find the changes that a commit writes now.
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
        """Commit to stable storage. Return whether the transaction has written anything.

        Raises StoreUnavailable if a restart would not find the committed changes.
        """

    def roll_back(self) -> None:
        """Roll the transaction back, if one is open."""

    def failure(self, error: Exception) -> EngineFailure | None:
        """Return how the database has failed. Return None if `error` is a bug in a piece of work."""

    def end(self, *, committed: bool) -> None:
        """Note how a transaction ended. The writer calls this before any caller learns of it."""

    def announce(self, *, committed: bool, is_idle: bool) -> None:
        """Tell the watchers which mailboxes a transaction changed. The writer answers the callers first.

        `is_idle` says that no work waits for the writer.
        """

    def probe(self) -> object:
        """Write something within the transaction that changes nothing, to see whether the database can be written."""

    def rest(self) -> None:
        """Do the work that can wait a little. The writer calls this when no other work has come for a while."""

    def close(self) -> None:
        """Close the connection."""
