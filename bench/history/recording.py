"""What clients were told, as they record it."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatbooth_grpc.booth.model import ContentKind


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a sender gave to the library, in its own order, and whether it was acknowledged."""

    sender: str
    recipient: str
    message_id: bytes
    text: str
    acknowledged: bool
    first_try: float = 0.0
    """When it was first tried, on the monotonic clock."""
    receipt: float = 0.0
    """When its receipt had arrived, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it was handed to the receiving application, or as it lies in the mailbox at the end."""

    sequence: int
    sender: str
    message_id: bytes
    text: str
    part: int = 0
    """How often the receiver had been told before that the store was restored. Sequences count within a part."""
    kind: int = ContentKind.TEXT
    """The kind of its content. Senders send texts only, so another kind comes from the server itself."""

    @property
    def identity(self) -> tuple[int, str, bytes]:
        """Which message it is, and where it lies, whenever it was shown."""
        return (self.sequence, self.sender, self.message_id)


@dataclass(frozen=True, slots=True)
class Restore:
    """A store that was put back from a copy."""

    holds_through: float
    """What was acknowledged before this moment, on the monotonic clock, is in the copy."""
    end: float
    """When the server had ended whose store was replaced, on the monotonic clock."""

    def may_lack(self, one: Sent) -> bool:
        """Say whether a message may be missing by this."""
        return one.receipt >= self.holds_through and one.first_try <= self.end


@dataclass
class History:
    """Of one run: what each sender sent, in order; what each receiver was shown, in order; what each mailbox holds."""

    sent: dict[str, list[Sent]] = field(default_factory=dict)
    shown: dict[str, list[Seen]] = field(default_factory=dict)
    stored: dict[str, list[Seen]] = field(default_factory=dict)
    gaps: dict[str, set[int]] = field(default_factory=dict)
    """Sequences that a receiver was told are missing."""
    restores: list[Restore] = field(default_factory=list)
    """Each time that the store was put back, in order."""
    told: dict[str, int] = field(default_factory=dict)
    """How often a receiver was told that the store was restored."""
