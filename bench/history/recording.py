"""What clients were told, as they record it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a sender gave to the library, in its own order, and whether it was acknowledged."""

    sender: str
    recipient: str
    message_id: bytes
    text: str
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it was handed to the receiving application, or as it lies in the mailbox at the end."""

    sequence: int
    sender: str
    message_id: bytes
    text: str


@dataclass
class History:
    """Of one run: what each sender sent, in order; what each receiver was shown, in order; what each mailbox holds."""

    sent: dict[str, list[Sent]] = field(default_factory=dict)
    shown: dict[str, list[Seen]] = field(default_factory=dict)
    stored: dict[str, list[Seen]] = field(default_factory=dict)
    gaps: dict[str, set[int]] = field(default_factory=dict)
    """Sequences that a receiver was told are missing."""
