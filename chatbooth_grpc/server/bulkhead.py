"""Thread pools of their own for slow work: hashing passwords, scanning names."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Bulkhead(ThreadPoolExecutor):
    """A thread pool that knows how full it is; whoever submits asks `is_full` first."""

    def __init__(self, name: str, threads: int, capacity: int) -> None:
        """`capacity`: how many calls may run and wait in all."""
        super().__init__(threads, thread_name_prefix=name)
        self.capacity = capacity
        self._held = 0
        self._count = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether as many calls run and wait as may."""
        return self._held >= self.capacity

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call, full or not."""
        future = super().submit(fn, *args, **kwargs)
        with self._count:
            self._held += 1
        future.add_done_callback(self._release)
        return future

    def _release(self, _: Future[Any]) -> None:
        with self._count:
            self._held -= 1
