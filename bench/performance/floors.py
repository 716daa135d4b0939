"""Raw floors, for orientation, and a check that the load generator is no bottleneck."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from bench.performance.disk_load import disk_load
from bench.performance.live import ECHO_THREADS, echoes, pairs
from bench.performance.outcome import Outcome
from bench.performance.plan import FLOOR_SERVER, Plan
from bench.performance.processes import PlainServer, in_own_process
from bench.performance.rows import Row, cpu_row, rate_row
from bench.performance.unary import no_op

_GENERATORS = 2
_ONE = "gRPC no-op, 64 in flight"
_DISK = "fsync of 4 KiB"
_TWO = "gRPC no-op, 32 in flight by each of two generators"


def floors(plan: Plan) -> list[Row]:
    """Measure a bare socket, a bare gRPC stream and a bare disk, and F with two generators at once."""
    with (
        PlainServer(FLOOR_SERVER) as plain,
        PlainServer(FLOOR_SERVER, *ECHO_THREADS) as stream,
        PlainServer("bench.performance.echo_server") as bare,
    ):
        taken = plan.take_turns(
            {
                _ONE: partial(no_op, plan, plain, 64),
                _TWO: partial(_no_op_by_two, plan, plain),
                f"gRPC stream echo, {pairs(plan)} streams": partial(echoes, plan, stream, "stream echo"),
                f"socket echo, {pairs(plan)} connections": partial(echoes, plan, bare, "socket echo"),
                _DISK: partial(in_own_process, disk_load, plan.duration),
            }
        )
    one = [outcome.rate for outcome in taken[_ONE]]
    rows = []
    for name, outcomes in taken.items():
        if name == _TWO:
            rows.append(rate_row("floors", name, outcomes, floor_name="one generator", floors=one))
        else:
            rows.append(rate_row("floors", name, outcomes))
        if name != _DISK:
            rows.append(cpu_row("floors", f"{name}, server CPU", outcomes))
    return rows


def _no_op_by_two(plan: Plan, server: PlainServer) -> Outcome:
    """Run F with two processes that share the calls. If one process is the bottleneck, two reach more."""
    with ThreadPoolExecutor(_GENERATORS) as pool:
        running = [pool.submit(no_op, plan, server, 64 // _GENERATORS) for _ in range(_GENERATORS)]
        outcomes = [outcome.result() for outcome in running]
    generator_cpu = sum(outcome.generator_cpu for outcome in outcomes)
    count = round(outcomes[0].seconds * sum(outcome.rate for outcome in outcomes))
    return replace(outcomes[0], count=count, generator_cpu=generator_cpu)
