"""An engine in memory for the group commit. It fails when a test says so."""

from __future__ import annotations

from collections.abc import Sequence

from chatbooth_grpc.booth.errors import StoreFull
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import NewMessage
from chatbooth_grpc.store.engine import EngineFailure, Outcomes

Rows = list[str]


class EngineBroken(Exception):
    """The engine's own failure."""


class MemoryEngine:
    """An `Engine` whose transaction is a list of rows, and whose log names the calls in their order."""

    def __init__(self) -> None:
        self.stored: Rows = []
        self.calls: list[str] = []
        # Whether no work waited, for each announcement.
        self.idle: list[bool] = []
        # The calls that fail.
        self.failing: set[str] = set()
        # Whether appending meets a bug.
        self.defective = False
        self._written: Rows | None = None
        self._savepoint = 0

    def begin(self) -> Rows:
        self._call("begin")
        self._written = []
        return self._written

    def append(self, messages: Sequence[NewMessage]) -> Outcomes:
        self._call("append")
        if self.defective:
            raise LookupError("a defect, made for this test")
        self._rows.extend(new.outgoing.content.decode() for new in messages)
        return [Receipt(0) for _ in messages]

    def savepoint(self) -> None:
        self._savepoint = len(self._rows)

    def undo_to_savepoint(self) -> None:
        del self._rows[self._savepoint :]

    def release_savepoint(self) -> None:
        self._savepoint = 0

    def commit(self) -> bool:
        self._call("commit")
        rows, self._written = self._rows, None
        self.stored += rows
        return bool(rows)

    def roll_back(self) -> None:
        self._call("roll back")
        self._written = None

    def failure(self, error: Exception) -> EngineFailure | None:
        return EngineFailure(str(error), StoreFull()) if isinstance(error, EngineBroken) else None

    def end(self, *, committed: bool) -> None:
        self.calls.append(f"end {committed}")

    def announce(self, *, committed: bool, is_idle: bool) -> None:
        self.calls.append(f"announce {committed}")
        self.idle.append(is_idle)

    def probe(self) -> None:
        self._call("probe")
        self._rows.append("probe")

    def rest(self) -> None:
        """Do nothing, because no caller waits for this."""

    def close(self) -> None:
        self.calls.append("close")

    @property
    def _rows(self) -> Rows:
        assert self._written is not None, "no transaction is open"
        return self._written

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise EngineBroken(f"{name} fails")
