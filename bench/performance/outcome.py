"""The result of a load, and the clock of a load: a warm-up, then the time that counts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.performance.processes import cpu_seconds


@dataclass(frozen=True)
class Duration:
    """The seconds of a load: of its warm-up, and of the time that counts."""

    warm_up: float = 0.5
    counted: float = 2.0


@dataclass(frozen=True)
class Outcome:
    """The result of the time that counts: the number of operations, and seconds, latencies and CPU, all in seconds."""

    count: int
    seconds: float
    server_cpu: float
    generator_cpu: float
    p50: float = 0.0
    p99: float = 0.0
    # How many messages must be in the mailbox afterwards. This includes the warm-up.
    sent: int = 0

    @property
    def rate(self) -> float:
        """How many operations a second."""
        return self.count / self.seconds


class Tally:
    """Counts the operations of a load, with `latencies` in seconds if they are known. The warm-up is not counted."""

    def __init__(self, server_pid: int, duration: Duration) -> None:
        self._pid = server_pid
        self._duration = duration
        self._is_warm = False
        self.count = 0
        self.latencies: list[float] = []
        self._start()

    def add(self, latencies: list[float]) -> None:
        """Count an operation for each latency."""
        self.latencies += latencies
        self.count += len(latencies)

    def _start(self) -> None:
        self.count = 0
        self.latencies.clear()
        self._server, self._own = cpu_seconds(self._pid), time.process_time()
        self._started = time.perf_counter()

    def is_over(self) -> bool:
        """Return whether the time that counts has passed."""
        passed = time.perf_counter() - self._started
        if not self._is_warm and passed >= self._duration.warm_up:
            self._is_warm = True
            self._start()
            return False
        return self._is_warm and passed >= self._duration.counted

    def finish(self) -> Outcome:
        """Return the result of the time that counts."""
        seconds = time.perf_counter() - self._started
        server, own = cpu_seconds(self._pid) - self._server, time.process_time() - self._own
        if not self._is_warm or not self.count:
            raise RuntimeError("the load ended before it had begun: give it more to do")
        ordered = sorted(self.latencies) or [0.0]
        p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        return Outcome(self.count, seconds, server, own, p50, p99)
