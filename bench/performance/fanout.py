"""The rate of pushes to 1,000 live streams of one mailbox, over gRPC and over the wire."""

from __future__ import annotations

from functools import partial

from bench.performance.accounts import new_sessions
from bench.performance.fanout_load import fanout_load
from bench.performance.outcome import Outcome
from bench.performance.pairs_load import Couple
from bench.performance.plan import FLOOR_SERVER, Plan
from bench.performance.processes import PlainServer, in_own_process
from bench.performance.rows import Row, at_least, cpu_row, rate_row
from bench.performance.unary import no_op
from bench.server_process import ServerProcess

STREAMS = 1_000
_AHEAD = (1, 64)
"""How many messages are in flight to the slowest listener. With one, no two messages can share a push."""


def fanout(plan: Plan) -> list[Row]:
    """Measure one message at a time, and as many as the streams' windows allow."""
    streams = plan.scaled(STREAMS)
    shapes = {(kind, ahead): f"{kind}, {ahead} ahead" for kind in ("gRPC", "wire") for ahead in _AHEAD}
    with PlainServer(FLOOR_SERVER) as floor:
        runs = {"no-op": partial(no_op, plan, floor, 64)}
        runs |= {name: partial(pushed, plan, streams, ahead, kind) for (kind, ahead), name in shapes.items()}
        taken = plan.take_turns(runs)
    floors = [outcome.rate for outcome in taken.pop("no-op")]
    rows = []
    for name, outcomes in taken.items():
        what = f"{streams:,} listeners, {name}"
        rows += [
            rate_row("fanout", what, outcomes, floor_name="no-op, 64", floors=floors, target=at_least(4)),
            cpu_row("fanout", f"{what}, server CPU", outcomes),
            Row("fanout", f"{what}, until all have it, p50", " ms", [1_000 * outcome.p50 for outcome in outcomes]),
        ]
    return rows


def pushed(plan: Plan, streams: int, ahead: int, kind: str, *flags: str) -> Outcome:
    """Push to this number of listeners over "gRPC" or "wire" once, from a server with these flags."""
    with ServerProcess(*flags) as server:
        sender, recipient = new_sessions(server)
        return in_own_process(
            fanout_load,
            server.wire if kind == "wire" else server.grpc,
            server.pid,
            plan.duration,
            couple=Couple(sender.token, recipient.token, recipient.username),
            streams=streams,
            ahead=ahead,
        )
