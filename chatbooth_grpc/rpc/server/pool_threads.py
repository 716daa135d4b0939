"""Starting all threads of a pool before the first call comes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress


def start_threads(pool: ThreadPoolExecutor, count: int) -> None:
    """Start the `count` threads of a pool. Raises RuntimeError if the system allows no more threads.

    A pool would otherwise start a thread when a call comes, and would drop the call if the system allows no more.
    """
    # The pool starts another thread as long as all its threads wait at this barrier.
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
