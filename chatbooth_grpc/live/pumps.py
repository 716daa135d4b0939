"""The few threads that serve all listeners, one at a time each.

Who owns what. A listener is idle, queued, or running. `wake` queues an idle one, and marks a running one to be run
again; a pump takes a queued one, steps it once, and queues it again behind the others if it has more to do. So a
stream never has two writers, and a busy one does not starve the rest. `_lock` guards those states (`Listener.pumping`)
and the list of pumps: no one blocks while holding it, so store and transport threads may call `wake` at any time.

A step may block in its stream's `send` while a client does not read. The watchdog cuts a stream off whose pump has
been blocked for longer than the limit, and lends the others a spare pump as long as one is blocked.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable

from chatbooth_grpc.live.listener import IDLE, QUEUED, RUNNING, WOKEN, Listener

MAX_SPARE_PUMPS = 32
_WATCH_INTERVAL = 0.05

_log = logging.getLogger(__name__)

Step = Callable[[Listener], bool]


class _Pump(threading.Thread):
    """One thread, and since when it has been busy with which listener."""

    def __init__(self, serve: Callable[[_Pump], None], number: int) -> None:
        super().__init__(name=f"pump-{number}", daemon=True)
        self._serve = serve
        self.listener: Listener | None = None
        self.since = 0.0

    def run(self) -> None:
        self._serve(self)

    def busy_for(self, now: float) -> float:
        """Seconds that the current step has taken, 0 between steps."""
        return now - self.since if self.listener is not None else 0.0


class Pumps:
    """Runs listeners' steps on a fixed few threads."""

    def __init__(self, step: Step, count: int, stuck_limit: float) -> None:
        """`step` serves a listener once and says whether it has more to do; `stuck_limit` is in seconds."""
        self._step = step
        self._count = count
        self._stuck_limit = stuck_limit
        self._ready: queue.SimpleQueue[Listener | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pumps: list[_Pump] = []
        self._started = 0
        self._closing = False
        self._stopping = threading.Event()
        for _ in range(count):
            self._start_pump()
        self._watchdog = threading.Thread(target=self._watch, name="pump-watchdog", daemon=True)
        self._watchdog.start()

    def wake(self, listeners: Iterable[Listener]) -> None:
        """Have listeners stepped soon. Never blocks."""
        with self._lock:
            for listener in listeners:
                if listener.pumping == IDLE:
                    listener.pumping = QUEUED
                    self._ready.put(listener)
                elif listener.pumping == RUNNING:
                    listener.pumping = WOKEN

    def stop(self) -> None:
        """End the threads, after what is queued; a stream that blocks one is cut off at the watchdog's limit."""
        with self._lock:
            self._closing = True
            pumps = list(self._pumps)
        for _ in pumps:
            self._ready.put(None)
        for pump in pumps:
            pump.join()
        self._stopping.set()
        self._watchdog.join()

    def _start_pump(self) -> None:
        self._started += 1
        pump = _Pump(self._serve, self._started)
        self._pumps.append(pump)
        pump.start()

    def _serve(self, pump: _Pump) -> None:
        while (listener := self._ready.get()) is not None:
            with self._lock:
                listener.pumping = RUNNING
            pump.since, pump.listener = time.monotonic(), listener
            more = False
            try:
                more = self._step(listener)
            except Exception:  # noqa: BLE001  # one stream's defect must not end the thread that serves the others
                _log.exception("a listener failed")
                listener.sink.abort()
            pump.listener = None
            with self._lock:
                if more or listener.pumping == WOKEN:
                    listener.pumping = QUEUED
                    self._ready.put(listener)
                else:
                    listener.pumping = IDLE
                if len(self._pumps) > self._count and self._is_surplus() and not self._closing:
                    self._pumps.remove(pump)
                    return

    def _is_surplus(self) -> bool:
        """Say whether there is a pump too many now that this one is free again."""
        now = time.monotonic()
        free = sum(pump.busy_for(now) < _WATCH_INTERVAL for pump in self._pumps)
        return free > self._count

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_INTERVAL):
            now = time.monotonic()
            with self._lock:
                pumps = list(self._pumps)
                blocked = [pump for pump in pumps if pump.busy_for(now) >= _WATCH_INTERVAL]
                lacking = len(pumps) - len(blocked) < self._count
                if lacking and len(pumps) < self._count + MAX_SPARE_PUMPS and not self._closing:
                    self._start_pump()
            for pump in blocked:
                listener = pump.listener
                if listener is not None and pump.busy_for(now) >= self._stuck_limit:
                    _log.warning("a stream was cut off: its client does not read", extra={"seconds": self._stuck_limit})
                    listener.sink.abort()
