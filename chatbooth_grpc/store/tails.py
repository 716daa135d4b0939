"""A cache of the newest messages, which saves listeners a query for each commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from chatbooth_grpc.booth.model import Message

MAX_MAILBOXES = 1_024
MAX_MESSAGES = 64

# The bytes of content for each mailbox. This makes 16 MiB for all mailboxes.
MAX_SIZE = 16 << 10

# This stands in place of a tail. It means that the mailbox has had another change, which listeners must read first.
_CHANGED: tuple[Message, ...] = ()


class Tails:
    """The messages that the latest commit appended to each mailbox. The writer fills it, and any thread reads it."""

    def __init__(self) -> None:
        self._tails: dict[int, tuple[Message, ...]] = {}

    def remember(self, appended: Mapping[int, Sequence[Message]], changed: Collection[int] = ()) -> None:
        """Cache the messages that a commit appended to each mailbox, unless they are too many or too large.

        `changed` are the mailboxes in which the commit did something else, such as ending a session. A listener learns
        of that only from the database. So the next append to such a mailbox is not cached, and listeners read it from
        the database. The append after that is cached again.
        """
        for mailbox_id in changed:
            # A dict keeps the place of a key that it has. Removing the entry first makes it the newest.
            self._tails.pop(mailbox_id, None)
            self._tails[mailbox_id] = _CHANGED
        for mailbox_id, messages in appended.items():
            if self._tails.pop(mailbox_id, None) is _CHANGED:
                continue
            if len(messages) <= MAX_MESSAGES and sum([len(message.content) for message in messages]) <= MAX_SIZE:
                self._tails[mailbox_id] = tuple(messages)
        while len(self._tails) > MAX_MAILBOXES:
            oldest = next(iter(self._tails))
            del self._tails[oldest]

    def after(self, mailbox_id: int, sequence: int) -> Sequence[Message]:
        """Return the cached messages that follow a sequence. An empty result does not mean that there are none.

        Every caller that asks for all messages of the latest commit gets the same object.
        """
        tail = self._tails.get(mailbox_id)
        if not tail:
            return ()
        start = sequence + 1 - tail[0].sequence
        if start < 0:
            # Messages between the sequence and the tail are not cached.
            return ()
        # Slicing a tuple from 0 returns the same object. EncodeOnce relies on that.
        return tail[start:]
