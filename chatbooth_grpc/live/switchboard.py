"""Who listens to which mailbox: takes the store's hints to the listeners, and ends them all on a drain.

A listener whose client has not taken the last event is set aside: it is not woken until its transport calls back. So
streams that nobody reads cost a message to their mailbox nothing.

`_lock` guards the registry and is held for dictionary operations only; it is taken by the store's writer (hints), by
the transports (open, close, call back) and by the pumps. It may be held when a pump's own lock is taken, never the
reverse.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from functools import partial

from chatbooth_grpc.booth.errors import ChatboothError, ServerDraining, SessionInvalid, TooBusy
from chatbooth_grpc.booth.model import End, EndReason
from chatbooth_grpc.booth.store import Store, StoredSession
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.pumps import Pumps
from chatbooth_grpc.live.sink import Sink

DEFAULT_PUMPS = 1
"""Two would win the interpreter's lock from each other message by message."""


class Switchboard:
    """Opens, wakes and ends listeners. Safe to call from many threads."""

    def __init__(
        self,
        store: Store,
        *,
        max_listeners: int = 20_000,
        pumps: int = DEFAULT_PUMPS,
    ) -> None:
        self._store = store
        self._max_listeners = max_listeners
        self._lock = threading.Lock()
        self._open: set[Listener] = set()
        self._by_mailbox: dict[int, set[Listener]] = {}  # those that hints wake: not the ones set aside
        self._none_left = threading.Condition(self._lock)
        self._draining = False
        self._pumps = Pumps(self._step, pumps)
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
            if len(self._open) >= self._max_listeners:
                raise TooBusy(f"{self._max_listeners:,} open streams")
            self._open.add(listener)
            self._link(listener)
        self._pumps.wake((listener,))
        return listener

    def close(self, listener: Listener) -> None:
        """Forget a listener whose stream is over. Never blocks; harmless if repeated."""
        with self._lock:
            listener.is_open = False
            if listener not in self._open:
                return
            self._open.remove(listener)
            self._unlink(listener)
            if not self._open:
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
        return len(self._open)

    def listens(self, session: StoredSession) -> bool:
        """Say whether a session has an open stream."""
        with self._lock:
            listeners = self._by_mailbox.get(session.mailbox_id, ())
            return any(listener.session.session_id == session.session_id for listener in listeners)

    def sessions(self) -> list[StoredSession]:
        """The sessions of the open streams, each once."""
        with self._lock:
            return list({listener.session.session_id: listener.session for listener in self._open}.values())

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
            while self._open and (left := deadline - time.monotonic()) > 0:
                self._none_left.wait(left)
            late = list(self._open)
        for listener in late:
            listener.sink.abort()
        self._pumps.stop()

    def _step(self, listener: Listener) -> bool:
        """Serve a listener once, on a pump; return whether it has more to do at once."""
        if not listener.is_open:
            return False
        if not listener.sink.is_free:
            self._set_aside(listener)
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
        """Write a stream's end. The transport closes it when that is taken; a drain cuts off who does not take it."""
        listener.is_open = False
        listener.sink.end(End(reason, listener.sent_through), error)

    def _set_aside(self, listener: Listener) -> None:
        """Wake a listener no more until its sink is free. It is unlinked first: so the call back cannot be missed."""
        with self._lock:
            self._unlink(listener)
        if not listener.sink.call_when_free(partial(self._put_back, listener)):
            self._put_back(listener)

    def _put_back(self, listener: Listener) -> None:
        with self._lock:
            if not listener.is_open:
                return
            self._link(listener)
        self._pumps.wake((listener,))

    # With the lock

    def _link(self, listener: Listener) -> None:
        self._by_mailbox.setdefault(listener.session.mailbox_id, set()).add(listener)

    def _unlink(self, listener: Listener) -> None:
        listeners = self._by_mailbox.get(listener.session.mailbox_id, set())
        listeners.discard(listener)
        if not listeners:
            self._by_mailbox.pop(listener.session.mailbox_id, None)
