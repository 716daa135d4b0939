"""The live latency of a lone pair, beside one commit and one round trip."""

from __future__ import annotations

from functools import partial

from bench.performance.live import echoes, live_pairs
from bench.performance.outcome import Outcome
from bench.performance.plan import FLOOR_SERVER, Plan
from bench.performance.processes import PlainServer, in_own_process
from bench.performance.rows import Row, Target, at_most
from bench.performance.store_load import store_load
from bench.performance.unary import no_op
from bench.server_process import ServerProcess

# For each kind of pair: its name, the round trip that is added to the commit for its floor, and the target.
_KINDS: dict[str, tuple[str, str, Target]] = {
    "unary": ("gRPC", "no-op", at_most(3)),
    "wire": ("wire", "socket echo", at_most(2)),
}


def lone_pair(plan: Plan) -> list[Row]:
    """Measure one sender and one listener, without other load."""
    with (
        PlainServer(FLOOR_SERVER) as floor,
        PlainServer("bench.performance.echo_server") as bare,
        ServerProcess() as server,
    ):
        taken = plan.take_turns(
            {
                "one commit": partial(in_own_process, store_load, plan.duration, batch=1),
                "no-op": partial(no_op, plan, floor, 1),
                "socket echo": partial(echoes, plan, bare, "socket echo", count=1),
                **{kind: partial(live_pairs, plan, server, kind, 1) for kind in _KINDS},
            }
        )
    return [_row(kind, taken) for kind in _KINDS]


def _row(kind: str, taken: dict[str, list[Outcome]]) -> Row:
    name, round_trip, target = _KINDS[kind]
    floors = [
        1_000 * (commit.p50 + trip.p50) for commit, trip in zip(taken["one commit"], taken[round_trip], strict=True)
    ]
    figures = [1_000 * outcome.p50 for outcome in taken[kind]]
    what = f"a lone pair, {name}, sender to listener, p50"
    return Row("lone-pair", what, " ms", figures, f"one commit + one {round_trip}", floors, target)
