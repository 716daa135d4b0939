"""A thread pool that counts in its bulkhead the calls that run and wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from chatbooth_grpc.booth.bulkhead import Bulkhead


class CountedPool(ThreadPoolExecutor):
    """A pool of threads that counts in its bulkhead the calls that run and wait."""

    def __init__(self, name: str, threads: int, *, bulkhead: Bulkhead | None = None) -> None:
        """`bulkhead` knows when the pool is full. Ask it before you submit another call. None allows any number."""
        super().__init__(threads, thread_name_prefix=name)
        self.threads = threads
        self.bulkhead = bulkhead

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function on a thread, and count it until it has ended."""
        future = super().submit(fn, *args, **kwargs)
        bulkhead = self.bulkhead
        if bulkhead is not None:
            bulkhead.enter()
            future.add_done_callback(lambda _: bulkhead.leave())
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
        if self.bulkhead is not None:
            self.bulkhead.enter()

    def _leave(self) -> None:
        if self.bulkhead is not None:
            self.bulkhead.leave()
