"""The records of the clients, which the checker compares."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatbooth_grpc.booth.model import ContentKind


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a sender gave to the library, and whether it was acknowledged."""

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
    """A message that the receiving application got, or that is in the mailbox at the end."""

    sequence: int
    sender: str
    message_id: bytes
    text: str
    part: int = 0
    """How many restores the library had reported to the receiver before. Sequences count within a part."""
    kind: int = ContentKind.TEXT
    """The kind of its content. Senders send texts only, so another kind comes from the server itself."""

    @property
    def identity(self) -> tuple[int, str, bytes]:
        """The values that identify the message and its place, however often it was shown."""
        return (self.sequence, self.sender, self.message_id)


@dataclass(frozen=True, slots=True)
class Restore:
    """A store that was put back from a copy."""

    holds_through: float
    """The copy has all messages that were acknowledged before this moment of the monotonic clock."""
    end: float
    """When the server of the replaced store had ended, on the monotonic clock."""

    def may_lack(self, one: Sent) -> bool:
        """Return whether a message may be missing because of this restore."""
        return one.receipt >= self.holds_through and one.first_try <= self.end


@dataclass
class History:
    """One run, in order: the messages that each sender sent, each receiver was shown, and each mailbox holds."""

    sent: dict[str, list[Sent]] = field(default_factory=dict)
    shown: dict[str, list[Seen]] = field(default_factory=dict)
    stored: dict[str, list[Seen]] = field(default_factory=dict)
    gaps: dict[str, set[int]] = field(default_factory=dict)
    """The sequences that the library reported to each receiver as missing."""
    restores: list[Restore] = field(default_factory=list)
    """Each time that the store was put back, in order."""
    told: dict[str, int] = field(default_factory=dict)
    """How many restores the library reported to each receiver."""
