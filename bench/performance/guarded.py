"""Sends, deliveries and fan-out with limits, metrics and TLS, beside the same without them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.performance.deliver import BACKLOG, delivered, fill
from bench.performance.fanout import STREAMS, pushed
from bench.performance.outcome import Outcome
from bench.performance.plan import Plan
from bench.performance.rows import Row, at_least, cpu_row, rate_row
from bench.performance.unary import send
from bench.performance.wire import SEND_MANY, WIRE, pipelined
from bench.server_process import ServerProcess

_TLS = ("--tls", "auto")
# Every limit is on, and so high that this load does not reach it. No address is trusted, so that each is counted.
_RATES = (
    "requests-per-address",
    "connections-per-address",
    "sign-ups-per-address",
    "log-ins-per-address",
    "sends-per-account",
)
_GUARDS = (
    *("--trusted-addresses", "none", "--metrics", "127.0.0.1:0", "--max-connections-per-address", "100000"),
    *(word for rate in _RATES for word in (f"--{rate}", "1000000/s")),
)
_OPEN = tuple(word for rate in _RATES for word in (f"--{rate}", "0"))
_SERVERS = {
    "without": _OPEN,
    "limits and metrics": _GUARDS,
    "TLS": (*_OPEN, *_TLS),
    "TLS, limits and metrics": (*_GUARDS, *_TLS),
}
_FLOORS = {"limits and metrics": "without", "TLS": "without", "TLS, limits and metrics": "TLS"}
"""The server that each is compared with."""
_AHEAD = 64


def guarded(plan: Plan) -> list[Row]:
    """Run each load on each server in turn. The cost of TLS itself is shown, and the target is for all the rest."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="chatbooth-bench-") as folder:
        filled, backlog = Path(folder) / "filled.db", plan.scaled(BACKLOG)
        token = fill(filled, backlog)
        loads: dict[str, Callable[..., Outcome]] = {
            "Send, 64 in flight, gRPC": partial(_send, plan),
            "sends, SendMany of 64, gRPC": partial(_pipelined, plan, SEND_MANY),
            "sends, pipelined, wire": partial(_pipelined, plan, WIRE),
        }
        for kind in ("gRPC", "wire"):
            loads[f"deliver, {kind}"] = partial(delivered, filled, token, backlog, wire=kind == "wire")
            loads[f"{plan.scaled(STREAMS):,} listeners, {kind}"] = partial(
                pushed, plan, plan.scaled(STREAMS), _AHEAD, kind
            )
        for name, load in loads.items():
            rows += _rows(name, plan.take_turns({server: partial(load, *flags) for server, flags in _SERVERS.items()}))
    return rows


def _rows(load: str, taken: dict[str, list[Outcome]]) -> list[Row]:
    rows = []
    for server, floor in _FLOORS.items():
        target = None if server == "TLS" else at_least(0.9)
        floors = [outcome.rate for outcome in taken[floor]]
        name = f"{load}: {server}"
        rows.append(rate_row("guarded", name, taken[server], floor_name=floor, floors=floors, target=target))
    return rows + [cpu_row("guarded", f"{load}: {server}, server CPU", taken[server]) for server in _SERVERS]


def _send(plan: Plan, *flags: str) -> Outcome:
    with ServerProcess(*flags) as server:
        return send(plan, server, 64)


def _pipelined(plan: Plan, kind: str, *flags: str) -> Outcome:
    with ServerProcess(*flags) as server:
        return pipelined(server, plan.duration, kind=kind)[0]
