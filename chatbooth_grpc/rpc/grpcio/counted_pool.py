"""A thread pool that knows how full it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


class CountedPool(ThreadPoolExecutor):
    """A pool of threads that counts what runs and waits."""

    def __init__(self, name: str, threads: int, *, capacity: int | None = None) -> None:
        """`capacity`: how many calls may run and wait before `is_full`. None means any number."""
        super().__init__(threads, thread_name_prefix=name)
        self.threads = threads
        self._capacity = capacity
        self._running = 0
        self._count = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether as many calls run and wait as may. Ask this before submitting another."""
        return self._capacity is not None and self._running >= self._capacity

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function on a thread, and count it until it has ended."""
        future = super().submit(fn, *args, **kwargs)
        self._enter()
        future.add_done_callback(lambda _: self._leave())
        return future

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a call that needs no thread of this pool, for as long as the block runs."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._count:
            self._running += 1

    def _leave(self) -> None:
        with self._count:
            self._running -= 1
