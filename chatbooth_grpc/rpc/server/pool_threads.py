"""Starting all the threads of a pool at once, so that none has to be started for a call."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress


def start_threads(pool: ThreadPoolExecutor, count: int) -> None:
    """Start the `count` threads of a pool. Raises RuntimeError: the system allows no more threads.

    A pool starts a thread when a call comes, and drops the call if the system allows no more.
    """
    # The pool starts another thread as long as all that there are wait here.
    all_started = threading.Barrier(count + 1)
    try:
        for _ in range(count):
            ThreadPoolExecutor.submit(pool, _wait, all_started)
        all_started.wait()
    except BaseException:
        all_started.abort()
        raise


def _wait(all_started: threading.Barrier) -> None:
    with suppress(threading.BrokenBarrierError):
        all_started.wait()
