"""The messages whose traces are not complete, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from chatbooth_grpc.booth.model import Message
    from chatbooth_grpc.booth.store import StoredSession

MOST_MESSAGES = 4_096
"""How many messages are followed at once. The oldest ones leave."""

MOST_IN_A_MAILBOX = 256
"""How many messages of one mailbox are followed at once: as many as a live stream has in its window."""

MOST_PUSHES = 32
"""How many pushes of one message are remembered. A client that connects again gets it again."""

LONGEST = 600.0
"""For how many seconds a message is followed, if nobody acknowledges it."""


class Push(NamedTuple):
    """The push of a message to a session."""

    context: SpanContext
    session_id: int
    sequence: int
    ended: float
    """When the push had ended, in monotonic seconds."""


class _Followed:
    """A message, with its pushes."""

    __slots__ = ("began", "context", "pushes")

    def __init__(self, context: SpanContext, began: float) -> None:
        # The span of the Send.
        self.context = context
        self.began = began
        self.pushes: list[Push] = []


class _Mailbox:
    """The followed messages of one recipient, by the sender's number and the message's id."""

    __slots__ = ("acknowledged", "messages")

    def __init__(self) -> None:
        self.messages: dict[tuple[int, bytes], _Followed] = {}
        # How far each session has acknowledged, while the mailbox has messages here.
        self.acknowledged: dict[int, int] = {}


class Following:
    """Finds the span of a message's Send when the message is pushed, and that of its push when it is acknowledged.

    A message leaves when a session has acknowledged it, when it is too old, or when there are too many. Many threads
    may call this. Its one lock is a leaf.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives monotonic seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        # By the recipient's name.
        self._mailboxes: dict[str, _Mailbox] = {}
        # Every message, the oldest first: its recipient, its sender's number and its id.
        self._ages: dict[tuple[str, int, bytes], float] = {}

    def __len__(self) -> int:
        return len(self._ages)

    def has(self, recipient: str) -> bool:
        """Return whether a message to this recipient is followed. This takes no lock."""
        return recipient in self._mailboxes

    def add(self, recipient: str, sender_id: int, message_id: bytes, context: SpanContext) -> None:
        """Follow a message. `context` is the span of its Send. If the message is followed already, nothing changes."""
        now = self._clock()
        with self._lock:
            mailbox = self._mailboxes.setdefault(recipient, _Mailbox())
            if (sender_id, message_id) in mailbox.messages:
                return
            if len(mailbox.messages) >= MOST_IN_A_MAILBOX:
                self._forget(recipient, *next(iter(mailbox.messages)))
            mailbox.messages[sender_id, message_id] = _Followed(context, now)
            self._ages[recipient, sender_id, message_id] = now
            self._forget_old(now)

    def find(self, recipient: str, sender_id: int, message_id: bytes) -> SpanContext | None:
        """Return the span of a message's Send, if the message is followed."""
        with self._lock:
            mailbox = self._mailboxes.get(recipient)
            followed = mailbox.messages.get((sender_id, message_id)) if mailbox else None
            return followed.context if followed else None

    def note_push(self, session: StoredSession, message: Message, context: SpanContext) -> list[Push]:
        """Note a push. Return it if the session has acknowledged it already: the client may be that quick."""
        push = Push(context, session.session_id, message.sequence, self._clock())
        with self._lock:
            mailbox = self._mailboxes.get(session.username)
            followed = mailbox.messages.get((message.sender_id, message.message_id)) if mailbox else None
            if mailbox is None or followed is None:
                return []
            if len(followed.pushes) < MOST_PUSHES:
                followed.pushes.append(push)
            return self._acknowledged(session, mailbox.acknowledged.get(session.session_id, 0))

    def acknowledge(self, session: StoredSession, through: int) -> list[Push]:
        """Return the pushes to a session up to a sequence, and follow their messages no longer."""
        with self._lock:
            mailbox = self._mailboxes.get(session.username)
            if mailbox is None:
                return []
            mailbox.acknowledged[session.session_id] = max(through, mailbox.acknowledged.get(session.session_id, 0))
            return self._acknowledged(session, through)

    # The caller of these holds the lock.

    def _acknowledged(self, session: StoredSession, through: int) -> list[Push]:
        found = []
        for key, followed in list(self._mailboxes[session.username].messages.items()):
            own = [each for each in followed.pushes if each.session_id == session.session_id]
            if own and own[0].sequence <= through:
                found += own
                self._forget(session.username, *key)
        return found

    def _forget_old(self, now: float) -> None:
        while self._ages:
            oldest = next(iter(self._ages))
            if len(self._ages) <= MOST_MESSAGES and now - self._ages[oldest] <= LONGEST:
                return
            self._forget(*oldest)

    def _forget(self, recipient: str, sender_id: int, message_id: bytes) -> None:
        del self._ages[recipient, sender_id, message_id]
        mailbox = self._mailboxes[recipient]
        del mailbox.messages[sender_id, message_id]
        if not mailbox.messages:
            del self._mailboxes[recipient]
