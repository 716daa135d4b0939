"""The newest messages of the mailboxes that grew last, so that who listens need not ask the database for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from chatbooth_grpc.booth.model import Message

MAX_MAILBOXES = 1_024
MAX_MESSAGES = 64
MAX_SIZE = 16 << 10
"""Of content, in bytes, for each mailbox: 16 MiB in all."""

_CHANGED: tuple[Message, ...] = ()
"""In place of a tail: who listens has to ask the database first."""


class Tails:
    """What the last commit that grew a mailbox appended to it. Filled by the writer, read by any thread."""

    def __init__(self) -> None:
        self._tails: dict[int, tuple[Message, ...]] = {}

    def remember(self, grown: Mapping[int, Sequence[Message]], changed: Collection[int] = ()) -> None:
        """Take in what a commit has appended, by mailbox; longer tails are the database's.

        `changed`: mailboxes in which the commit did something else, as to end a session. Nothing is at hand of those
        until they have grown twice more: who is up to date by then has asked the database in between.
        """
        for mailbox_id in changed:
            self._tails.pop(mailbox_id, None)  # so that it counts among the newest
            self._tails[mailbox_id] = _CHANGED
        for mailbox_id, messages in grown.items():
            if self._tails.pop(mailbox_id, None) is _CHANGED:
                continue
            if len(messages) <= MAX_MESSAGES and sum([len(message.content) for message in messages]) <= MAX_SIZE:
                self._tails[mailbox_id] = tuple(messages)
        while len(self._tails) > MAX_MAILBOXES:
            del self._tails[next(iter(self._tails))]

    def after(self, mailbox_id: int, sequence: int) -> Sequence[Message]:
        """Return the messages right behind a sequence, up to the newest; none where they are not at hand.

        Who asks for all that the last commit appended gets the same object as everyone else.
        """
        tail = self._tails.get(mailbox_id, ())
        first = tail[0].sequence if tail else 0
        return tail[sequence + 1 - first :] if tail and first <= sequence + 1 else ()  # a whole tuple is itself
