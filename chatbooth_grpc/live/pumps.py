"""The pumps: a few threads that serve all listeners. Each serves one listener at a time.

A listener is idle, queued or running. `wake` queues an idle listener, and marks a running one so that it runs once
more. A pump takes a queued listener and steps it once. If the listener has more to do, the pump queues it again after
the others. So a stream never has two writers, and a busy stream does not starve the others.

`_lock` guards these states (`Listener.pumping`) and the turns. No thread blocks while it holds the lock, so the threads
of the store and of the transports may call `wake` at any time.

The store's thread steps a listener itself, by `step_here`, if nothing else waits for the store. That saves a handoff to
a pump. Such a step only sends messages that the store caches, so it never waits for the disk.

A step never waits for a client. It writes to a stream only when the transport has taken everything that was written
before.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable

from chatbooth_grpc.live.listener import IDLE, QUEUED, RUNNING, WOKEN, Listener
from chatbooth_grpc.live.turns import Turns

_log = logging.getLogger(__name__)

Step = Callable[[Listener], bool]


class Pumps:
    """Runs the steps of listeners on a fixed number of threads."""

    def __init__(self, step: Step, count: int) -> None:
        """`step` serves a listener once and returns whether the listener has more to do."""
        self._step = step
        self._lock = threading.Lock()
        self._turns = Turns()
        # True for each queued listener. False ends a pump.
        self._ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._pumps = [
            threading.Thread(target=self._serve, name=f"pump-{number}", daemon=True) for number in range(count)
        ]
        for pump in self._pumps:
            pump.start()

    def wake(self, listeners: Iterable[Listener]) -> None:
        """Let the pumps step these listeners soon. This never blocks."""
        with self._lock:
            for listener in listeners:
                self._note_wake(listener)

    def step_here(self, listener: Listener, step: Step) -> None:
        """Step an idle listener on the caller's thread, with a `step` that never blocks. A pump steps any other."""
        with self._lock:
            if listener.pumping != IDLE:
                self._note_wake(listener)
                return
            listener.pumping = RUNNING
        self._run(listener, step)

    def stop(self) -> None:
        """Serve the listeners that are queued, then end the threads."""
        for _ in self._pumps:
            self._ready.put(False)
        for pump in self._pumps:
            pump.join()

    def _note_wake(self, listener: Listener) -> None:
        """Queue a listener that is idle, and mark one that runs. The caller holds the lock."""
        if listener.pumping == IDLE:
            self._queue(listener)
        elif listener.pumping == RUNNING:
            listener.pumping = WOKEN

    def _queue(self, listener: Listener) -> None:
        """Queue a listener. The caller holds the lock."""
        listener.pumping = QUEUED
        self._turns.put(listener)
        self._ready.put(True)

    def _serve(self) -> None:
        while self._ready.get():
            with self._lock:
                listener = self._turns.take()
                listener.pumping = RUNNING
            self._run(listener, self._step)

    def _run(self, listener: Listener, step: Step) -> None:
        """Step a listener that is marked as running."""
        more = False
        try:
            more = step(listener)
        except Exception:  # noqa: BLE001  # a bug concerns one stream
            _log.exception("a listener failed")
            listener.sink.abort()
        with self._lock:
            if more or listener.pumping == WOKEN:
                self._queue(listener)
            else:
                listener.pumping = IDLE
