"""Live and stored messages of 50 pairs, beside F and beside a bare bidirectional echo."""

from __future__ import annotations

import statistics
from functools import partial

from bench.performance.accounts import new_session
from bench.performance.outcome import Outcome
from bench.performance.pairs_load import Couple, pairs_load
from bench.performance.plan import FLOOR_SERVER, Plan
from bench.performance.processes import PlainServer, in_own_process
from bench.performance.rows import Row, Target, at_least, at_most, cpu_row, rate_row
from bench.performance.unary import no_op
from bench.server_process import ServerProcess
from chatbooth_grpc._gen import chatbooth_pb2 as pb

_PAIRS = 50
_FEWEST_MESSAGES = 2_000  # for each pair
# On a plain server, each stream holds a thread.
ECHO_THREADS = ("--threads", "64")
_MESSAGES = 100_000
_KINDS: dict[str, tuple[str, Target]] = {"wire": ("no-op", at_least(2.2)), "unary": ("stream echo", at_least(0.6))}
if hasattr(pb, "SendManyRequest"):
    _KINDS["SendMany"] = ("stream echo", at_least(0.6))


def pairs(plan: Plan) -> int:
    """Return how many pairs there are."""
    return max(4, plan.scaled(_PAIRS))


def live(plan: Plan) -> list[Row]:
    """Measure each way to send at full speed, then at half of it."""
    with PlainServer(FLOOR_SERVER) as floor, PlainServer(FLOOR_SERVER, *ECHO_THREADS) as echo:
        runs = {
            "no-op": partial(no_op, plan, floor, pairs(plan)),
            "stream echo": partial(echoes, plan, echo, "stream echo"),
        }
        runs |= {kind: partial(_live, plan, kind) for kind in _KINDS}
        taken = plan.take_turns(runs)
        half = {"stream echo at half load": partial(echoes, plan, echo, "stream echo", _rate(taken["stream echo"]) / 2)}
        rows = [_tail(f"{pairs(plan)} streams, gRPC, echo, half load", plan.take_turns(half), None)]
    for kind, (floor_name, target) in _KINDS.items():
        floors = [outcome.rate for outcome in taken[floor_name]]
        what = f"{pairs(plan)} pairs, {'wire' if kind == 'wire' else f'gRPC, {kind}'}"
        rows.append(rate_row("live", what, taken[kind], floor_name=floor_name, floors=floors, target=target))
        rows.append(cpu_row("live", f"{what}, server CPU", taken[kind], at_most(60) if kind == "wire" else None))
        half = {f"{kind} at half load": partial(_live, plan, kind, _rate(taken[kind]) / 2)}
        rows.append(_tail(f"{what}, half load, sender to listener", plan.take_turns(half), at_most(5)))
    return rows


def _rate(outcomes: list[Outcome]) -> float:
    return statistics.median(outcome.rate for outcome in outcomes)


def _tail(what: str, halves: dict[str, list[Outcome]], target: Target | None) -> Row:
    [outcomes] = halves.values()
    p50s, p99s = ([1_000 * getattr(outcome, name) for outcome in outcomes] for name in ("p50", "p99"))
    return Row("live", f"{what}, p99", " ms", p99s, "p50", p50s, target)


def _live(plan: Plan, kind: str, rate: float | None = None) -> Outcome:
    with ServerProcess() as server:
        return live_pairs(plan, server, kind, pairs(plan), rate)


def live_pairs(plan: Plan, server: ServerProcess, kind: str, count: int, rate: float | None = None) -> Outcome:
    """Run this number of pairs of new accounts once. `kind` and `rate` are those of `pairs_load`."""
    sessions = [(new_session(server.grpc, "sender"), new_session(server.grpc, "sink")) for _ in range(count)]
    return in_own_process(
        pairs_load,
        server.wire if kind == "wire" else server.grpc,
        server.pid,
        plan.duration,
        kind=kind,
        couples=[Couple(sender.token, recipient.token, recipient.username) for sender, recipient in sessions],
        messages=max(_FEWEST_MESSAGES * count, plan.scaled(_MESSAGES)),
        rate=rate,
    )


def echoes(
    plan: Plan, server: PlainServer, kind: str, rate: float | None = None, *, count: int | None = None
) -> Outcome:
    """Run a floor without a store once: "stream echo" or "socket echo". `rate` is as in `pairs_load`.

    `count` is the number of pairs. None means as many as the other measurements have.
    """
    count = count or pairs(plan)
    return in_own_process(
        pairs_load,
        server.address,
        server.pid,
        plan.duration,
        kind=kind,
        couples=[Couple(b"", b"", "")] * count,
        messages=max(_FEWEST_MESSAGES * count, plan.scaled(10 * _MESSAGES)),
        rate=rate,
    )
