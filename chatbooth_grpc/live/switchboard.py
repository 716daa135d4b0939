"""Who listens to which mailbox: takes the store's hints to the listeners, and ends them all on a drain.

`_lock` guards the registry and is held for dictionary operations only; it is taken by the store's writer (hints),
by the transports (open, close) and by the pumps. It may be held when a pump's own lock is taken, never the reverse.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

from chatbooth_grpc.booth.errors import ChatboothError, ServerDraining, SessionInvalid, TooBusy
from chatbooth_grpc.booth.model import End, EndReason
from chatbooth_grpc.booth.store import Store, StoredSession
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.pumps import Pumps
from chatbooth_grpc.live.sink import Sink

DEFAULT_PUMPS = 1
"""Two would win the interpreter's lock from each other message by message; one that blocks is lent a spare."""

STUCK_LIMIT = 5.0
"""How long a client may keep a pump waiting before its stream is cut off, in seconds."""


class Switchboard:
    """Opens, wakes and ends listeners. Safe to call from many threads."""

    def __init__(
        self,
        store: Store,
        *,
        max_listeners: int = 20_000,
        pumps: int = DEFAULT_PUMPS,
        stuck_limit: float = STUCK_LIMIT,
    ) -> None:
        self._store = store
        self._max_listeners = max_listeners
        self._lock = threading.Lock()
        self._by_mailbox: dict[int, set[Listener]] = {}
        self._count = 0
        self._none_left = threading.Condition(self._lock)
        self._draining = False
        self._pumps = Pumps(self._step, pumps, stuck_limit)
        store.watch(self.wake)

    def open(self, session: StoredSession, after: int | None, sink: Sink) -> Listener:
        """Begin to serve a stream; its opening is on the way when this returns.

        The listener is registered before its first read, so nothing that is sent meanwhile is missed. Raises TooBusy:
        as many streams are open as may be. ServerDraining.
        """
        listener = Listener(session, after, sink)
        with self._lock:
            if self._draining:
                raise ServerDraining
            if self._count >= self._max_listeners:
                raise TooBusy(f"{self._max_listeners:,} open streams")
            self._by_mailbox.setdefault(session.mailbox_id, set()).add(listener)
            self._count += 1
        self._pumps.wake((listener,))
        return listener

    def close(self, listener: Listener) -> None:
        """Forget a listener whose stream is over. Never blocks; harmless if repeated."""
        with self._lock:
            listeners = self._by_mailbox.get(listener.session.mailbox_id)
            if listeners is None or listener not in listeners:
                return
            listener.is_open = False
            listeners.remove(listener)
            if not listeners:
                del self._by_mailbox[listener.session.mailbox_id]
            self._count -= 1
            if self._count == 0:
                self._none_left.notify_all()

    def wake(self, mailbox_ids: Collection[int]) -> None:
        """Have the listeners of these mailboxes look again. Never blocks."""
        if not self._by_mailbox:
            return
        with self._lock:
            woken = [listener for mailbox_id in mailbox_ids for listener in self._by_mailbox.get(mailbox_id, ())]
        if woken:
            self._pumps.wake(woken)

    @property
    def count(self) -> int:
        """How many streams are open."""
        return self._count

    def sessions(self) -> list[StoredSession]:
        """The sessions of the open streams, each once."""
        with self._lock:
            found = {
                listener.session.session_id: listener.session
                for listeners in self._by_mailbox.values()
                for listener in listeners
            }
        return list(found.values())

    def sweep(self) -> None:
        """Have every listener look again: what makes a lost hint a delay and not a loss."""
        with self._lock:
            mailbox_ids = list(self._by_mailbox)
        self.wake(mailbox_ids)

    def drain(self, grace: float) -> None:
        """Open no more streams and end each with its cursor; cut off what is left after `grace` seconds; stop."""
        with self._lock:
            self._draining = True
        self.sweep()
        deadline = time.monotonic() + grace
        with self._lock:
            while self._count and (left := deadline - time.monotonic()) > 0:
                self._none_left.wait(left)
            late = [listener for listeners in self._by_mailbox.values() for listener in listeners]
        for listener in late:
            listener.sink.abort()
        self._pumps.stop()

    def _step(self, listener: Listener) -> bool:
        """Serve a listener once, on a pump; return whether it has more to do at once."""
        if not listener.is_open:
            return False
        if self._draining:
            self._end(listener, EndReason.DRAINING, ServerDraining())
            return False
        try:
            return listener.step(self._store)
        except SessionInvalid as error:
            self._end(listener, EndReason.SESSION_ENDED, error)
        except ChatboothError as error:
            self._end(listener, EndReason.FAILED, error)
        return False

    def _end(self, listener: Listener, reason: EndReason, error: ChatboothError) -> None:
        try:
            listener.sink.end(End(reason, listener.sent_through), error)
        finally:
            self.close(listener)  # not before: a drain cuts off who is still open, as one that does not read its end is
