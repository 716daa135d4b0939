"""The store alone: the ceiling for every server in front of it."""

from __future__ import annotations

from functools import partial

from bench.performance.plan import Plan
from bench.performance.processes import in_own_process
from bench.performance.rows import Row, cpu_row, rate_row
from bench.performance.store_load import store_load

BATCHES = (1, 8, 64, 512)
THREADS = (8, 64)


def store(plan: Plan) -> list[Row]:
    """Measure batches from one thread, then single messages from several."""
    shapes = {f"batches of {batch}": (batch, 1) for batch in BATCHES}
    shapes |= {f"{threads} threads of one message each": (1, threads) for threads in THREADS}
    runs = {
        name: partial(in_own_process, store_load, plan.duration, batch=batch, threads=threads)
        for name, (batch, threads) in shapes.items()
    }
    rows = []
    for name, outcomes in plan.take_turns(runs).items():
        rows += [rate_row("store", name, outcomes), cpu_row("store", f"{name}, CPU", outcomes)]
    return rows
