"""Raw floors, for orientation: what a socket and a gRPC stream reach with nothing behind them."""

from __future__ import annotations

from functools import partial

from bench.performance.live import ECHO_THREADS, PAIRS, echoes
from bench.performance.plan import FLOOR_SERVER, Plan
from bench.performance.processes import PlainServer
from bench.performance.rows import Row, cpu_row, rate_row
from bench.performance.unary import no_op


def floors(plan: Plan) -> list[Row]:
    """Measure each at the concurrency of the live pairs."""
    with (
        PlainServer(FLOOR_SERVER) as plain,
        PlainServer(FLOOR_SERVER, *ECHO_THREADS) as stream,
        PlainServer("bench.performance.echo_server") as bare,
    ):
        taken = plan.take_turns(
            {
                f"gRPC no-op, {PAIRS} in flight": partial(no_op, plan, plain, PAIRS),
                f"gRPC stream echo, {PAIRS} streams": partial(echoes, plan, stream, "stream echo"),
                f"socket echo, {PAIRS} connections": partial(echoes, plan, bare, "socket echo"),
            }
        )
    rows = []
    for name, outcomes in taken.items():
        rows += [rate_row("floors", name, outcomes), cpu_row("floors", f"{name}, server CPU", outcomes)]
    return rows
