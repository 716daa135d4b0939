"""Pipelined durable sends over the wire, beside the store's ceiling and beside unary Send over gRPC."""

from __future__ import annotations

from functools import partial

from bench.performance.accounts import check_stored, new_session
from bench.performance.outcome import Outcome
from bench.performance.pipelined_load import IN_FLIGHT, pipelined_load
from bench.performance.plan import Plan
from bench.performance.processes import in_own_process
from bench.performance.rows import Row, at_least, at_most, cpu_row, rate_row
from bench.performance.store_load import store_load
from bench.performance.unary import send
from bench.server_process import ServerProcess

_CALLS = 200_000


def wire(plan: Plan) -> list[Row]:
    """Measure one connection that never waits."""
    with ServerProcess() as server:
        taken = plan.take_turns(
            {
                "store, batches of 512": partial(in_own_process, store_load, plan.duration, batch=512),
                "unary Send, 64 in flight": partial(send, plan, server, 64),
                "pipelined": partial(_pipelined, plan, server),
            }
        )
    pipelined = taken.pop("pipelined")
    rows = [
        rate_row("wire", "pipelined sends", pipelined, floor_name=name, floors=_rates(outcomes), target=target)
        for (name, outcomes), target in zip(taken.items(), (at_least(0.5), at_least(5)), strict=True)
    ]
    return [*rows, cpu_row("wire", "pipelined sends, server CPU", pipelined, at_most(40))]


def _rates(outcomes: list[Outcome]) -> list[float]:
    return [outcome.rate for outcome in outcomes]


def _pipelined(plan: Plan, server: ServerProcess) -> Outcome:
    sender, recipient = new_session(server.grpc, "sender"), new_session(server.grpc, "sink")
    outcome = in_own_process(
        pipelined_load,
        server.wire,
        server.pid,
        plan.duration,
        token=sender.token,
        recipient=recipient.username,
        calls=max(4 * IN_FLIGHT, plan.scaled(_CALLS)),
    )
    check_stored(server.grpc, recipient, outcome.sent)
    return outcome
