"""The disk by itself: the time to write and fsync a page."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace

from bench.performance.outcome import Duration, Outcome, Tally

_PAGE = bytes(4_096)


def disk_load(duration: Duration) -> Outcome:
    """Append pages to a file for a time. Fsync each before the next."""
    with tempfile.TemporaryFile(prefix="chatbooth-bench-", buffering=0) as file:
        tally = Tally(os.getpid(), duration)
        while not tally.is_over():
            began = time.perf_counter()
            file.write(_PAGE)
            os.fsync(file.fileno())
            tally.add([time.perf_counter() - began])
    return replace(tally.finish(), generator_cpu=0.0)
