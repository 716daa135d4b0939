"""The order of listeners: mailboxes take turns, however many listeners each has."""

from __future__ import annotations

from collections import deque

from chatbooth_grpc.live.listener import Listener


class Turns:
    """A queue of listeners, fair to mailboxes: one with thousands of listeners delays another by one step.

    Not safe to use from many threads.
    """

    def __init__(self) -> None:
        self._mailboxes: deque[int] = deque()
        self._waiting: dict[int, deque[Listener]] = {}

    def put(self, listener: Listener) -> None:
        """Add a listener after the others of its mailbox."""
        mailbox_id = listener.session.mailbox_id
        waiting = self._waiting.get(mailbox_id)
        if waiting is None:
            self._waiting[mailbox_id] = deque((listener,))
            self._mailboxes.append(mailbox_id)
        else:
            waiting.append(listener)

    def take(self) -> Listener:
        """Remove and return the next listener. Raises IndexError if there is none."""
        mailbox_id = self._mailboxes.popleft()
        waiting = self._waiting[mailbox_id]
        listener = waiting.popleft()
        if waiting:
            self._mailboxes.append(mailbox_id)
        else:
            del self._waiting[mailbox_id]
        return listener
