"""Pipelined durable sends on one connection, beside the store and beside unary Send."""

from __future__ import annotations

import math
from functools import partial

from bench.performance.accounts import check_stored, new_sessions
from bench.performance.outcome import Duration, Outcome
from bench.performance.pipelined_load import pipelined_load
from bench.performance.plan import Plan
from bench.performance.processes import in_own_process
from bench.performance.rows import Row, Target, at_least, at_most, cpu_row, rate_row
from bench.performance.store_load import store_load
from bench.performance.stream_load import stream_load
from bench.performance.unary import send
from bench.server_process import ServerProcess
from chatbooth_grpc.booth.model import Session

WIRE = "wire, pipelined"
SEND_MANY = "gRPC, SendMany of 64"
_UNARY = "unary Send, 64 in flight"
_FLOORS: dict[str, dict[str, Target]] = {
    WIRE: {"store, batches of 512": at_least(0.5), _UNARY: at_least(5)},
    SEND_MANY: {"store, batches of 64": at_least(0.5), _UNARY: at_least(5)},
}


def wire(plan: Plan) -> list[Row]:
    """Measure one wire connection with pipelined sends, and one SendMany stream."""
    with ServerProcess() as server:
        floors = {
            "store, batches of 512": partial(in_own_process, store_load, plan.duration, batch=512),
            "store, batches of 64": partial(in_own_process, store_load, plan.duration, batch=64),
            _UNARY: partial(send, plan, server, 64),
        }
        taken = plan.take_turns(floors | {kind: partial(_pipelined, plan, server, kind) for kind in _FLOORS})
    rows = []
    for kind, targets in _FLOORS.items():
        for name, target in targets.items():
            rates = [outcome.rate for outcome in taken[name]]
            rows.append(rate_row("wire", f"sends, {kind}", taken[kind], floor_name=name, floors=rates, target=target))
        limit = at_most(40 if kind == WIRE else 80)
        rows.append(cpu_row("wire", f"sends, {kind}, server CPU", taken[kind], limit))
    return rows


def _pipelined(plan: Plan, server: ServerProcess, kind: str) -> Outcome:
    return pipelined(server, plan.duration, kind=kind)[0]


def pipelined(
    server: ServerProcess, duration: Duration, most: float = math.inf, kind: str = WIRE
) -> tuple[Outcome, Session]:
    """Send to a new account for a time, or until `most` were sent. Check that all is stored, and return the account."""
    sender, recipient = new_sessions(server)
    is_wire = kind == WIRE
    outcome = in_own_process(
        pipelined_load if is_wire else stream_load,
        server.wire if is_wire else server.grpc,
        server.pid,
        duration,
        token=sender.token,
        recipient=recipient.username,
        most=most,
    )
    check_stored(server.grpc, recipient, outcome.sent, server.security)
    return outcome, recipient
