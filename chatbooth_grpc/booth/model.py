"""The nouns of chatbooth, which actions take and return, and which a store keeps."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chatbooth_grpc.booth.tokens import TokenLimits

# Times are whole microseconds since 1970-01-01 UTC. Sequences count from 1. A cursor of 0 stands before the first.
#
# Every message needs an object of some classes. These classes are named tuples, because making one takes a third of the
# time that a dataclass takes.


class ContentKind(enum.IntEnum):
    """The kinds of content. The numbers are the .proto's and the wire protocol's."""

    TEXT = 1
    """UTF-8, at least one byte."""


MAX_KIND = 255
"""The highest number that a kind of content may have: it is one byte in the wire protocol."""


class GapReason(enum.IntEnum):
    """Why messages are missing from a mailbox. The numbers are the .proto's."""

    UNSPECIFIED = 0
    """Not said, or a reason of a newer server that this version does not know."""
    RETENTION = 1
    """The server removed them for their age. Another session of the account had acknowledged them."""

    @classmethod
    def _missing_(cls, _value: object) -> GapReason:
        return cls.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Session:
    """The right to act for an account, which a client gets when it signs up or logs in."""

    token: bytes = field(repr=False)
    """16 bytes, a secret: anyone who has it can act for the account. Written as text, it is 32 hex digits."""
    account_id: int
    """The account's number, from 1. It is never given to another account."""
    username: str
    """The account's name: 1 to 32 characters, in lower case."""
    epoch: bytes
    """16 bytes that name the store's history. A restore from a backup changes them."""


class SessionKind(enum.IntEnum):
    """The kinds of sessions. The numbers are the .proto's."""

    UNSPECIFIED = 0
    """A kind of a newer server that this version does not know."""
    PERSON = 1
    """A session that was opened with the account's password."""
    TOKEN = 2
    """A token: a session for a program, limited to what it may do."""

    @classmethod
    def _missing_(cls, _value: object) -> SessionKind:
        return cls.UNSPECIFIED


class SessionEntry(NamedTuple):
    """A live session in the list of an account's sessions."""

    session_id: int
    """The session's number, from 1. It is no secret, and is never given to another session."""
    label: str
    """The label that the client gave when it opened the session. Empty if it gave none."""
    kind: SessionKind
    """How the session was opened."""
    create_time: int
    """When the session was opened, in microseconds since 1970-01-01 UTC."""
    used_time: int
    """When the session was last noted as used, in microseconds since 1970-01-01 UTC. It may be used a day later."""
    is_current: bool
    """Whether this is the session that asks."""
    limits: TokenLimits | None = None
    """The rights of a token. None for a session that may do everything."""
    expire_time: int = 0
    """When a token expires, in microseconds since 1970-01-01 UTC. 0 if it does not expire."""


class SessionPage(NamedTuple):
    """A page of an account's sessions."""

    sessions: list[SessionEntry]
    """The sessions, the oldest first."""
    next_page_token: str
    """Pass it as `page_token` to get the next page. Empty on the last page."""


class NewToken(NamedTuple):
    """A token that was just made. Only now can its secret be had."""

    session: Session
    """The session to act with. It has the secret."""
    session_id: int
    """The token's number in the list of the account's sessions, by which it is ended."""
    expire_time: int
    """When it expires, in microseconds since 1970-01-01 UTC. 0 if it does not expire."""

    @property
    def text(self) -> str:
        """The secret as `ChatClient.connect` takes it: 32 hex digits."""
        return self.session.token.hex()


class OutgoingMessage(NamedTuple):
    """A message as its sender gives it. `chatbooth_grpc.client.text_message` makes one from a text."""

    recipient: str
    """The recipient's username: 1 to 32 characters. Upper case means the same as lower case."""
    message_id: bytes
    """16 bytes, not all zero. Sent again under the same id to the same recipient, a message is stored once."""
    content: bytes
    """The content, as `kind` says. A text is UTF-8, from 1 byte to the server's largest text (1 MiB by default)."""
    kind: int = ContentKind.TEXT
    """What the content is: a `ContentKind`, or the number of a kind that this version does not know."""


class Receipt(NamedTuple):
    """The acknowledgement of a message that is stored and fsynced. A repeat gets the first receipt again."""

    accept_time: int
    """When the server accepted the message, in microseconds since 1970-01-01 UTC."""


class Message(NamedTuple):
    """A message in a mailbox."""

    sequence: int
    """Its number in the mailbox: 1, 2, 3 … without gaps, within one epoch."""
    sender: str
    """The sender's username, in lower case."""
    sender_id: int
    """The number of the sender's account. A name may pass to another account one day. The number never does."""
    message_id: bytes
    """The id, 16 bytes that the sender chose. Two senders may have chosen the same."""
    accept_time: int
    """When the server accepted the message, in microseconds since 1970-01-01 UTC."""
    content: bytes
    """The content, as `kind` says. A text is UTF-8."""
    kind: int = ContentKind.TEXT
    """What the content is: a `ContentKind`, or the number of a kind that this version does not know."""

    @property
    def text(self) -> str:
        """The text of a text message. For a kind that this version does not know, words that say so."""
        return self.content.decode() if self.kind == ContentKind.TEXT else unknown_kind_words(self.kind)


def unknown_kind_words(kind: int) -> str:
    """Return the words that a person reads in place of content that this version cannot show."""
    return f"a message of a kind that this client does not know (kind {kind}); update the client"


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages that were removed before they were delivered to this session."""

    first: int
    """The first sequence that is missing, from 1."""
    last: int
    """The last sequence that is missing. All between the two are missing, too."""
    reason: GapReason
    """Why they are missing."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a delivery starts, and what is missing there."""

    epoch: bytes
    """16 bytes that name the store's history. Sequences of another epoch mean nothing in this one."""
    account_id: int
    """The number of the account whose mailbox this is."""
    resumed_after: int
    """The delivery starts after this sequence. 0 means that it starts with the first message."""
    replaying: int
    """How many messages wait after `resumed_after`, at least 0."""
    gap: Gap | None = None
    """The messages that are missing right after `resumed_after`, or None."""

    @property
    def last_sequence(self) -> int:
        """The last sequence of the mailbox when the delivery began. 0 if it never had a message."""
        return self.replaying + (self.gap.last if self.gap else self.resumed_after)


class EndReason(enum.IntEnum):
    """Why a stream ended. The numbers are the .proto's."""

    UNSPECIFIED = 0
    """Not said, or a reason of a newer server that this version does not know."""
    SESSION_ENDED = 1
    """The session logged out, expired or was ended: log in again."""
    DRAINING = 2
    """The server is stopping: connect again in a moment."""
    FAILED = 3
    """The server could not read on: connect again in a moment."""

    @classmethod
    def _missing_(cls, _value: object) -> EndReason:
        return cls.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Messages of a live stream."""

    messages: Sequence[Message]
    """One message or more, in the order of their sequences."""


@dataclass(frozen=True, slots=True)
class End:
    """The last event of a live stream."""

    reason: EndReason
    """Why the stream ends."""
    sent_through: int
    """The last sequence that the stream sent. 0 if it sent none."""


Event = Opening | MessageBatch | Gap | End
"""An event of a live stream: first an opening, then batches and gaps as they come, at last an end."""


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event of a newer server that this version does not know. It holds no message and no gap: skip it."""

    kind: int
    """The number of the event's kind. 0 if the event does not have it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch of the messages that wait in a mailbox."""

    opening: Opening
    """Where the batch starts, and what is missing there."""
    messages: list[Message]
    """The messages in the order of their sequences. Empty if none wait."""
    more: bool
    """Whether more messages wait after these."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of usernames."""

    usernames: list[str]
    """The names, sorted, in lower case. A page may be empty and yet not be the last."""
    next_page_token: str
    """Pass it as `page_token` to get the next page. Empty on the last page."""


@dataclass(frozen=True, slots=True)
class Removal:
    """How much the deletion of an account removed."""

    messages: int
    """How many messages of the account's mailbox were removed, at least 0."""
    sessions: int
    """How many sessions ended. This includes the one that deleted the account."""


class SignUpPolicy(enum.Enum):
    """The people who may make an account. The values are those of the server's flag."""

    OPEN = "open"
    """Anyone."""
    INVITE = "invite"
    """A person who has an invite code."""
    CLOSED = "closed"
    """Nobody."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that an operator may set. Sizes are in bytes, times in seconds."""

    text_size: int = 1 << 20
    session_expiry: float = 30 * 86_400.0
    name_hold: float = 30 * 86_400.0
    retain: float = 30 * 86_400.0
    store_wait: float = 30.0
    max_mailbox: int = 1_000_000
    sign_up: SignUpPolicy = SignUpPolicy.OPEN
    reserved_names: frozenset[str] = frozenset()
    """Names in lower case that nobody can take at sign-up. An account that has one keeps it."""


TOUCHES_PER_EXPIRY = 30
"""The store notes the last use of a session this many times in `Limits.session_expiry`, and not on every call."""

MAX_TEXT_SIZE = 16 << 20
"""The most that `Limits.text_size` may be set to."""
