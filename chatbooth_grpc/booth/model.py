"""The nouns of chatbooth: what actions take and return, and what a store keeps.

Times are whole microseconds since 1970-01-01 UTC. Sequences count from 1; 0 as a cursor means before the first.

What is made for every message is a named tuple, which is made in a third of the time.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class ContentKind(enum.IntEnum):
    """What a message's content is; its bytes are the store's and the wires' to move, not to read."""

    TEXT = 1


class GapReason(enum.IntEnum):
    """Why messages are missing from a mailbox; the numbers are the .proto's."""

    UNSPECIFIED = 0  # or one of a newer server's, which this version does not know
    RETENTION = 1

    @classmethod
    def _missing_(cls, _value: object) -> GapReason:
        return cls.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Session:
    """What a client holds after signing up or logging in: its right to act, and whose."""

    token: bytes
    account_id: int
    username: str
    epoch: bytes


class OutgoingMessage(NamedTuple):
    """A message as its sender gives it: `message_id` is 16 bytes, `content` the bytes of its `kind`."""

    recipient: str
    message_id: bytes
    content: bytes
    kind: ContentKind = ContentKind.TEXT


class Receipt(NamedTuple):
    """The acknowledgement of a stored message."""

    accept_time: int


class Message(NamedTuple):
    """A message as it lies in a mailbox."""

    sequence: int
    sender: str
    sender_id: int
    message_id: bytes
    accept_time: int
    content: bytes
    kind: ContentKind = ContentKind.TEXT

    @property
    def text(self) -> str:
        """The content of a text message."""
        return self.content.decode()


@dataclass(frozen=True, slots=True)
class Gap:
    """The sequences `first` to `last`, both included, that were removed before they were delivered."""

    first: int
    last: int
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a delivery starts: after `resumed_after`, with `replaying` messages behind it and perhaps a gap."""

    epoch: bytes
    account_id: int
    resumed_after: int
    replaying: int
    gap: Gap | None = None


class EndReason(enum.IntEnum):
    """Why a stream ended; the numbers are the .proto's."""

    UNSPECIFIED = 0  # or one of a newer server's, which this version does not know
    SESSION_ENDED = 1
    DRAINING = 2
    FAILED = 3

    @classmethod
    def _missing_(cls, _value: object) -> EndReason:
        return cls.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Messages of a live stream, in their order."""

    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class End:
    """The last word of a live stream: why it ends, and the last sequence that it sent."""

    reason: EndReason
    sent_through: int


Event = Opening | MessageBatch | Gap | End
"""What a live stream tells: an opening, then batches and gaps as they come, then an end."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch of messages in their order, where it started, and whether `more` wait behind it."""

    opening: Opening
    messages: list[Message]
    more: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page of usernames; an empty `next_page_token` says that it is the last."""

    usernames: list[str]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Removal:
    """What deleting an account took away."""

    messages: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator may set; sizes in bytes, times in seconds."""

    text_size: int = 1 << 20
    session_expiry: float = 30 * 86_400.0
    name_hold: float = 30 * 86_400.0
    retain: float = 30 * 86_400.0
    store_wait: float = 30.0


TOUCHES_PER_EXPIRY = 30
"""A session's last use is noted to a thirtieth of `Limits.session_expiry`, not on every call."""

MAX_TEXT_SIZE = 16 << 20
"""The most that `Limits.text_size` may be set to."""
