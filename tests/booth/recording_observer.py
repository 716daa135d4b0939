"""An observer that records each call of its methods."""

from __future__ import annotations

from collections.abc import Sequence

from chatbooth_grpc.booth.call_log import Call, outcome_of
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.booth.observing import Append
from chatbooth_grpc.booth.store import Outcome, StoredSession


class RecordingObserver:
    """Keeps everything in lists."""

    def __init__(self) -> None:
        self.calls: list[tuple[Call, ChatboothError | None]] = []
        # The wire and the outcome of each message that came with others.
        self.sends: list[tuple[str, str]] = []
        self.refused_connections: list[str] = []
        self.transactions: list[tuple[Sequence[Append], bool]] = []
        self.pushes: list[tuple[StoredSession, Sequence[Message], float | None]] = []
        self.acknowledgements: list[tuple[StoredSession, int]] = []
        self.is_broken = False

    def call_ended(self, call: Call, error: ChatboothError | None) -> None:
        self.calls.append((call, error))

    def sends_ended(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.sends.append((call.wire, outcome_of(outcome if isinstance(outcome, ChatboothError) else None)))

    def connection_refused(self, limit: str) -> None:
        self.refused_connections.append(limit)

    def transaction_ended(self, appends: Sequence[Append], began: float, *, committed: bool) -> None:
        if self.is_broken:
            raise ZeroDivisionError("made for this test")
        self.transactions.append((appends, committed))

    def pushed(self, session: StoredSession, messages: Sequence[Message], hinted: float | None) -> None:
        self.pushes.append((session, messages, hinted))

    def acknowledged(self, session: StoredSession, through: int) -> None:
        self.acknowledgements.append((session, through))
