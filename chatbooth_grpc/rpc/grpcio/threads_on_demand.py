"""A pool that starts its threads when they are needed, as far as the system allows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool


class ThreadsOnDemand(CountedPool):
    """Threads that are started when they are needed."""

    def __init__(self, name: str, threads: int, *, most: int) -> None:
        """The server's start starts `threads` of them, before the first call."""
        super().__init__(name, most)
        self.threads = threads

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function as soon as a thread is free.

        If the system allows no more threads, the function waits for one of those that there are. An error would end
        gRPC's event thread.
        """
        done: Future[Any] = Future()
        with suppress(RuntimeError):
            ThreadPoolExecutor.submit(self, _complete, done, partial(fn, *args, **kwargs))
        return done


def _complete(done: Future[Any], work: Callable[[], Any]) -> None:
    try:
        done.set_result(work())
    # The error belongs to the caller that waits for the future.
    except BaseException as error:  # noqa: BLE001
        done.set_exception(error)
