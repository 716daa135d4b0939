"""Keeping Ctrl-C out of calls into gRPC that must not be interrupted."""

# Python may raise an interrupt anywhere on the main thread. Inside gRPC that may be the point where a lock was acquired
# but is not yet noted. Then nobody releases the lock, gRPC's own threads wait for it, and the program never ends.

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

_LOOK_INTERVAL = 0.2
"""The seconds of one wait. An interrupt that comes just before the main thread waits is raised only after the wait."""


def apart(work: Callable[[], T]) -> T:
    """Return the result of `work`, or raise its error. An interrupt ends only the wait for it.

    If this is the main thread, `work` runs on another thread, because only the main thread is interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome: Future[T] = Future()
    is_done = threading.Event()

    def run() -> None:
        try:
            outcome.set_result(work())
        # The waiting thread raises this error, of any type.
        except BaseException as error:  # noqa: BLE001
            outcome.set_exception(error)
        is_done.set()

    threading.Thread(target=run, name="apart", daemon=True).start()
    while not is_done.wait(_LOOK_INTERVAL):
        pass
    return outcome.result()
