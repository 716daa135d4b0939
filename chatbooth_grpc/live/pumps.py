"""The few threads that serve all listeners, one at a time each.

A listener is idle, queued, or running. `wake` queues an idle one, and marks a running one to be run again; a pump takes
a queued one, steps it once, and queues it again after the others if it has more to do. So a stream never has two
writers, and a busy one does not starve the rest. `_lock` guards those states (`Listener.pumping`) and the turns: no one
blocks while holding it, so store and transport threads may call `wake` at any time.

A step never waits for a client: it writes to a stream only when the transport has taken all that was written before.
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
    """Runs listeners' steps on a fixed few threads."""

    def __init__(self, step: Step, count: int) -> None:
        """`step` serves a listener once and says whether it has more to do."""
        self._step = step
        self._lock = threading.Lock()
        self._turns = Turns()
        self._ready: queue.SimpleQueue[bool] = queue.SimpleQueue()  # True for each one queued, False ends a pump
        self._pumps = [
            threading.Thread(target=self._serve, name=f"pump-{number}", daemon=True) for number in range(count)
        ]
        for pump in self._pumps:
            pump.start()

    def wake(self, listeners: Iterable[Listener]) -> None:
        """Have listeners stepped soon. Never blocks."""
        with self._lock:
            for listener in listeners:
                if listener.pumping == IDLE:
                    self._queue(listener)
                elif listener.pumping == RUNNING:
                    listener.pumping = WOKEN

    def stop(self) -> None:
        """End the threads, after what is queued."""
        for _ in self._pumps:
            self._ready.put(False)
        for pump in self._pumps:
            pump.join()

    def _queue(self, listener: Listener) -> None:
        """Queue a listener, with the lock."""
        listener.pumping = QUEUED
        self._turns.put(listener)
        self._ready.put(True)

    def _serve(self) -> None:
        while self._ready.get():
            with self._lock:
                listener = self._turns.take()
                listener.pumping = RUNNING
            more = False
            try:
                more = self._step(listener)
            except Exception:  # noqa: BLE001  # one stream's defect must not end the thread that serves the others
                _log.exception("a listener failed")
                listener.sink.abort()
            with self._lock:
                if more or listener.pumping == WOKEN:
                    self._queue(listener)
                else:
                    listener.pumping = IDLE
