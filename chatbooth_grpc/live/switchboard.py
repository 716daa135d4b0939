"""The switchboard knows the listeners of each mailbox, and passes hints to them.

If a client has not taken the last event, the switchboard sets its listener aside, and does not wake it until the
transport calls back. So a stream that nobody reads costs nothing when a message comes into its mailbox.

`_lock` guards the registry. A thread holds it for operations on dictionaries only. The store's writer takes it for
hints, the transports take it to open, to close and to call back, and the pumps take it, too. A thread that holds it may
take the lock of the pumps. A thread that holds the lock of the pumps must not take it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from functools import partial

from chatbooth_grpc.booth.errors import ChatboothError, ServerDraining, SessionInvalid, TooBusy
from chatbooth_grpc.booth.model import End, EndReason
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.occupancy import Occupancy
from chatbooth_grpc.booth.store import Store, StoredSession
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.pumps import Pumps
from chatbooth_grpc.live.sink import Sink

LISTENERS_PER_ACCOUNT = 32
"""How many streams one account may have open at once. A person has a few devices."""

DEFAULT_PUMPS = 1
"""There is one, because two pumps would take the interpreter's lock from each other for every message."""

# A thread of the store serves at most this many listeners itself.
_FEW = 2


class Switchboard:
    """Opens, wakes and ends listeners. Many threads may call it."""

    def __init__(
        self,
        store: Store,
        *,
        max_listeners: int = 20_000,
        per_account: int = LISTENERS_PER_ACCOUNT,
        pumps: int = DEFAULT_PUMPS,
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._observer = observer
        self._max_listeners = max_listeners
        self._per_account = Occupancy("open streams of one account", per_account)
        self._lock = threading.Lock()
        self._open: set[Listener] = set()
        # The listeners that hints wake. This does not include the listeners that are set aside.
        self._by_mailbox: dict[int, set[Listener]] = {}
        self._none_left = threading.Condition(self._lock)
        self._draining = False
        self._pumps = Pumps(self._step, pumps)
        store.watch(self._note_commit if observer is None else self._note_observed_commit)

    def open(self, session: StoredSession, after: int | None, sink: Sink) -> Listener:
        """Begin to serve a stream. A pump writes its opening soon.

        The listener is registered before its first read, so it misses no message that is sent meanwhile. Raises
        TooBusy if as many streams are open as may be, or as many of this account, and ServerDraining.
        """
        listener = Listener(session, after, sink, self._observer)
        with self._lock:
            if self._draining:
                raise ServerDraining
            if len(self._open) >= self._max_listeners:
                raise TooBusy(f"{self._max_listeners:,} open streams")
            self._per_account.enter(session.account_id)
            self._open.add(listener)
            self._link(listener)
        self._pumps.wake((listener,))
        return listener

    def close(self, listener: Listener) -> None:
        """Forget a listener whose stream has ended. This never blocks. A repeat does nothing."""
        with self._lock:
            listener.is_open = False
            if listener not in self._open:
                return
            self._open.remove(listener)
            self._per_account.leave(listener.session.account_id)
            self._unlink(listener)
            if not self._open:
                self._none_left.notify_all()

    def wake(self, mailbox_ids: Collection[int]) -> None:
        """Let the listeners of these mailboxes read again. This never blocks."""
        self._pumps.wake(self._listeners_of(mailbox_ids))

    def _note_commit(self, mailbox_ids: Collection[int], is_idle: bool) -> None:
        """Wake the listeners of these mailboxes. If the store is idle, its thread serves a few of them here."""
        if not self._by_mailbox:
            return
        listeners = self._listeners_of(mailbox_ids)
        if not is_idle or len(listeners) > _FEW:
            self._pumps.wake(listeners)
            return
        for listener in listeners:
            self._pumps.step_here(listener, self._step_from_cache)

    def _note_observed_commit(self, mailbox_ids: Collection[int], is_idle: bool) -> None:
        """Do as `_note_commit` does, and note when, for the observer."""
        if self._by_mailbox:
            now = time.monotonic()
            for listener in self._listeners_of(mailbox_ids):
                if listener.hinted is None:
                    listener.hinted = now
        self._note_commit(mailbox_ids, is_idle)

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def listens(self, session: StoredSession) -> bool:
        """Return whether a session has an open stream."""
        with self._lock:
            listeners = self._by_mailbox.get(session.mailbox_id, ())
            return any(listener.session.session_id == session.session_id for listener in listeners)

    def sessions(self) -> list[StoredSession]:
        """The sessions of the open streams, each once."""
        with self._lock:
            return list({listener.session.session_id: listener.session for listener in self._open}.values())

    def sweep(self) -> None:
        """Let every listener read again, so that a lost hint delays a message and does not lose it."""
        with self._lock:
            mailbox_ids = list(self._by_mailbox)
        self.wake(mailbox_ids)

    def drain(self, grace: float) -> None:
        """Open no more streams, and end each with its cursor. After `grace` seconds cut off the rest, and stop."""
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

    def _listeners_of(self, mailbox_ids: Collection[int]) -> list[Listener]:
        with self._lock:
            return [listener for mailbox_id in mailbox_ids for listener in self._by_mailbox.get(mailbox_id, ())]

    def _step_from_cache(self, listener: Listener) -> bool:
        """Send the messages that the store caches, without waiting. Return whether a pump must step the listener."""
        may_send = listener.is_open and not self._draining and listener.sink.is_free
        return not (may_send and listener.send_cached(self._store))

    def _step(self, listener: Listener) -> bool:
        """Serve a listener once, on a pump. Return whether it has more to do at once."""
        if not listener.is_open:
            return False
        if not listener.sink.is_free:
            self._set_aside(listener)
            return False
        if self._draining:
            self._end(listener, EndReason.DRAINING, ServerDraining())
            return False
        try:
            has_more = listener.step(self._store)
        except SessionInvalid as error:
            self._end(listener, EndReason.SESSION_ENDED, error)
        except ChatboothError as error:
            self._end(listener, EndReason.FAILED, error)
        else:
            # A hint that led to no message is not the beginning of a later one's delay.
            listener.hinted = None
            return has_more
        return False

    def _end(self, listener: Listener, reason: EndReason, error: ChatboothError) -> None:
        """Write a stream's end.

        The transport closes the stream when the client has taken the end. A drain cuts off a client that does not.
        """
        listener.is_open = False
        listener.sink.end(End(reason, listener.sent_through), error)

    def _set_aside(self, listener: Listener) -> None:
        """Stop waking a listener until its sink is free. It is unlinked first, so that no callback can be missed."""
        # A delay for which the client is the cause is none of the server's.
        listener.hinted = None
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

    # The caller of these holds the lock.

    def _link(self, listener: Listener) -> None:
        self._by_mailbox.setdefault(listener.session.mailbox_id, set()).add(listener)

    def _unlink(self, listener: Listener) -> None:
        listeners = self._by_mailbox.get(listener.session.mailbox_id, set())
        listeners.discard(listener)
        if not listeners:
            self._by_mailbox.pop(listener.session.mailbox_id, None)
