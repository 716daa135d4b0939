"""Keeping Ctrl-C out of what must not be broken off.

Python lets an interrupt strike the main thread anywhere. Inside of gRPC that may be where a lock was just taken, but is
not yet noted as such: it stays taken, gRPC's own threads wait for it, and the program never ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

_LOOK_INTERVAL = 0.2
"""An interrupt that comes just before the main thread begins to wait does not end that wait: it is seen behind it."""


def apart(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; an interrupt ends only the wait for it.

    It runs on a thread of its own if this is the main thread, which alone is interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome: Future[T] = Future()
    is_done = threading.Event()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is for who waits
            outcome.set_exception(error)
        is_done.set()

    threading.Thread(target=run, name="apart", daemon=True).start()
    while not is_done.wait(_LOOK_INTERVAL):
        pass
    return outcome.result()
