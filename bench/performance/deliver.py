"""Delivery of a backlog to one reader, over gRPC and over the wire."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from bench.filling import fill_mailbox
from bench.performance.deliver_load import deliver_load
from bench.performance.outcome import Outcome
from bench.performance.plan import FLOOR_SERVER, Plan
from bench.performance.processes import PlainServer, in_own_process
from bench.performance.rows import Row, at_least, cpu_row, rate_row
from bench.performance.unary import no_op
from bench.server_process import ServerProcess
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore

BACKLOG = 100_000


def deliver(plan: Plan) -> list[Row]:
    """Deliver the same backlog again and again, each time from a fresh copy of its store."""
    backlog = plan.scaled(BACKLOG)
    with tempfile.TemporaryDirectory(prefix="chatbooth-bench-") as folder, PlainServer(FLOOR_SERVER) as floor:
        filled = Path(folder) / "filled.db"
        token = fill(filled, backlog)
        taken = plan.take_turns(
            {
                "no-op": partial(no_op, plan, floor, 64),
                "gRPC": partial(delivered, filled, token, backlog, wire=False),
                "wire": partial(delivered, filled, token, backlog, wire=True),
            }
        )
    floors = [outcome.rate for outcome in taken["no-op"]]
    rows = []
    for name in ("gRPC", "wire"):
        what = f"{backlog:,} messages over {name}"
        rows += [
            rate_row("deliver", what, taken[name], floor_name="no-op, 64", floors=floors, target=at_least(18)),
            cpu_row("deliver", f"{what}, server CPU", taken[name]),
        ]
    return rows


def fill(path: Path, backlog: int) -> bytes:
    """Make a store with a mailbox of this number of messages, and return its owner's token."""
    with SQLiteStore(path) as store:
        booth = Booth(store)
        sender, recipient = booth.sign_up("sender", "password"), booth.sign_up("reader", "password")
        fill_mailbox(booth, sender.token, "reader", backlog, b"x" * 60)
    return recipient.token


def delivered(filled: Path, token: bytes, backlog: int, *flags: str, wire: bool) -> Outcome:
    """Deliver the backlog once, from a server with these flags."""
    with ServerProcess(*flags, store=filled) as server:
        address = server.wire if wire else server.grpc
        return in_own_process(deliver_load, address, server.pid, token=token, messages=backlog)
