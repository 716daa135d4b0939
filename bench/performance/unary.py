"""Unary durable Send over gRPC, beside a no-op call and beside one commit."""

from __future__ import annotations

from functools import partial

from bench.performance.accounts import check_stored, new_sessions
from bench.performance.outcome import Outcome
from bench.performance.plan import FLOOR_SERVER, Plan
from bench.performance.processes import PlainServer, in_own_process
from bench.performance.rows import Row, Target, at_least, at_most, cpu_row, rate_row
from bench.performance.store_load import store_load
from bench.performance.unary_load import unary_load
from bench.server_process import ServerProcess

MOST_CONNECTIONS = 8
_IN_FLIGHT: dict[int, tuple[Target | None, Target | None]] = {
    1: (None, None),
    8: (at_least(0.85), at_most(300)),
    64: (at_least(0.85), at_most(300)),
}
"""How many calls are in flight at once, and the targets for the ratio to F and for the CPU."""


def unary(plan: Plan) -> list[Row]:
    """Measure Send at each concurrency, and the latency of a lone Send."""
    rows: list[Row] = []
    with PlainServer(FLOOR_SERVER) as floor, ServerProcess() as server:
        for in_flight, (to_floor, cpu) in _IN_FLIGHT.items():
            runs = {"no-op": partial(no_op, plan, floor, in_flight), "Send": partial(send, plan, server, in_flight)}
            if in_flight == 1:
                runs["one commit"] = partial(in_own_process, store_load, plan.duration, batch=1)
            taken = plan.take_turns(runs)
            floors = [outcome.rate for outcome in taken["no-op"]]
            name = f"Send, {in_flight} in flight"
            rows.append(rate_row("unary", name, taken["Send"], floor_name="no-op", floors=floors, target=to_floor))
            rows.append(cpu_row("unary", f"{name}, server CPU", taken["Send"], cpu))
            rows.append(cpu_row("unary", f"no-op, {in_flight} in flight, server CPU", taken["no-op"]))
            if in_flight == 1:
                rows.append(_lone(taken["Send"], taken["no-op"], taken["one commit"]))
    return rows


def _lone(sends: list[Outcome], no_ops: list[Outcome], commits: list[Outcome]) -> Row:
    floors = [1_000 * (no_op.p50 + commit.p50) for no_op, commit in zip(no_ops, commits, strict=True)]
    figures = [1_000 * outcome.p50 for outcome in sends]
    return Row("unary", "a lone Send, p50", " ms", figures, "no-op + one commit", floors, at_most(1.3))


def no_op(plan: Plan, floor: PlainServer, in_flight: int) -> Outcome:
    """Run the floor F once."""
    return in_own_process(
        unary_load,
        floor.address,
        floor.pid,
        plan.duration,
        token=bytes(16),
        recipient="sink0",
        in_flight=in_flight,
        connections=min(in_flight, MOST_CONNECTIONS),
    )


def send(plan: Plan, server: ServerProcess, in_flight: int) -> Outcome:
    """Run Send once, to a new account, and check that all messages are stored."""
    sender, recipient = new_sessions(server)
    outcome = in_own_process(
        unary_load,
        server.grpc,
        server.pid,
        plan.duration,
        token=sender.token,
        recipient=recipient.username,
        in_flight=in_flight,
        connections=min(in_flight, MOST_CONNECTIONS),
    )
    check_stored(server.grpc, recipient, outcome.sent, server.security)
    return outcome
