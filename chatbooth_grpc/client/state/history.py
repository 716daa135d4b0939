"""Noticing that a server no longer has the history in which a reader counts messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatbooth_grpc.booth.model import Opening

Taken = Callable[[bytes, int], None]
"""Called with an epoch, and the last sequence that was taken in it. 0 means that no sequence counts any more."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The server's store was restored from a backup, so its history went back.

    Messages that were sent after the backup may be missing. Sequences from before mean nothing now: forget them. The
    server delivers again the messages that the session had acknowledged after the backup.
    """

    epoch: bytes
    """The 16 bytes of the epoch that counts from now on."""
    taken_through: int
    """The last sequence that was taken in the history before, 0 if none was."""
    last_sequence: int
    """The last sequence that the mailbox has now, 0 if it has none."""


class History:
    """The epoch that a reader is in, and the last sequence that it has reached there."""

    def __init__(self, epoch: bytes | None = None, reached: int = 0) -> None:
        """`epoch` None means that it is not known yet. The first opening tells it."""
        self.epoch = epoch
        self.reached = reached
        self._is_past_end = False

    def note_reached(self, sequence: int) -> None:
        """Note that the reader has all messages up to a sequence. Within a history, that sequence never goes back."""
        self.reached = max(self.reached, sequence)

    def note_past_end(self) -> None:
        """Note that the server has refused the last sequence that was reached, since the mailbox ends before it."""
        self._is_past_end = True

    def check(self, opening: Opening) -> Restored | None:
        """Return None if a delivery is of this history. Otherwise adopt its history, and return the change."""
        restored = None
        if not self._goes_on_in(opening):
            restored = Restored(opening.epoch, self.reached, opening.last_sequence)
            self.reached = 0
            self._is_past_end = False
        self.epoch = opening.epoch
        return restored

    def _goes_on_in(self, opening: Opening) -> bool:
        if self._is_past_end or self.epoch not in (None, opening.epoch):
            return False
        return opening.last_sequence >= self.reached
