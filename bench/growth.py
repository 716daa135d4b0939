"""python -m bench.growth: the same figures with more and more messages stored, and memory while many pass through."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.performance.accounts import new_session
from bench.performance.deliver_load import deliver_load
from bench.performance.outcome import Duration
from bench.performance.pipelined_load import IN_FLIGHT, pipelined_load
from bench.performance.plan import Plan, say
from bench.performance.processes import in_own_process
from bench.performance.unary import send
from bench.server_process import ServerProcess
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.client.chat_client import ChatClient
from chatbooth_grpc.client.message_ids import new_message_id
from chatbooth_grpc.store.sqlite import SQLiteStore

MAILBOXES = 200
PASSWORD = "password"  # noqa: S105
_BATCH = 1_000
_BACKLOG = 100_000
_PASSING = 200_000  # messages of one load
_TEXT = b"x" * 60

Figures = dict[str, float]


def main() -> int:
    """Measure at each size; print the table, and the ratios to the first size."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--sizes", default="0,1000000,10000000", help="messages stored (default: %(default)s)")
    parser.add_argument("--passing", type=int, default=2_000_000, help="messages through one server, for its memory")
    parser.add_argument("--repeats", type=int, default=3, help="of each load (default: %(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the stores lie (default: %(default)s)")  # noqa: S108
    parser.add_argument("--json", type=Path, help="write the figures as JSON, too")
    parsed = parser.parse_args()
    os.environ["TMPDIR"] = parsed.folder
    columns: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="chatbooth-bench-") as folder:
        path = Path(folder) / "growing.db"
        stored = 0
        for size in map(int, parsed.sizes.split(",")):
            say(f"{size:,} messages")
            fill(path, stored, size)
            stored = size
            columns[f"{size:,}"] = measure(path, size, parsed.repeats)
    print(_table(columns))
    memory = pass_through(parsed.passing)
    print("\nserver memory while messages pass through, MiB: " + ", ".join(f"{size:.0f}" for size in memory))
    if parsed.json:
        parsed.json.write_text(json.dumps({"sizes": columns, "memory": memory}, indent=1))
    return 0


def fill(path: Path, stored: int, size: int) -> None:
    """Grow a store from so many messages to `size`, over many mailboxes."""
    is_new = not path.exists()
    with SQLiteStore(path) as store:
        booth = Booth(store)
        if is_new:
            for number in range(MAILBOXES):
                booth.sign_up(f"crowd{number}", PASSWORD)
        sender = booth.sign_up(f"filler{size}", PASSWORD)
        for number in range((size - stored) // _BATCH):
            recipient = f"crowd{number % MAILBOXES}"
            messages = [OutgoingMessage(recipient, new_message_id(), _TEXT) for _ in range(_BATCH)]
            booth.send_many([(sender.token, message) for message in messages])


def measure(path: Path, size: int, repeats: int) -> Figures:
    """Measure a server on a copy of the store. Rates a second, times in milliseconds, sizes in MiB and bytes."""
    plan = Plan(1, Duration(0.5, 2.0))
    starts = [start_time(path) for _ in range(repeats)]
    figures: Figures = {"start to the first answered call, ms": 1_000 * statistics.median(starts)}
    with ServerProcess(store=path) as server:
        loads: dict[str, Callable[[], float]] = {
            "unary Send, 64 in flight, /s": lambda: send(plan, server, 64).rate,
            "lone Send, p50, ms": lambda: 1_000 * send(plan, server, 1).p50,
            "pipelined on the wire, /s": lambda: pipelined(server),
            "Deliver over gRPC, /s": lambda: deliver(server),
        }
        for name, load in loads.items():
            say(f"  {name}")
            figures[name] = statistics.median(load() for _ in range(repeats))
        figures["server memory, MiB"] = server.resident_bytes() / (1 << 20)
    figures["file, MiB"] = path.stat().st_size / (1 << 20)
    figures["file, bytes a message"] = path.stat().st_size / size if size else 0.0
    return figures


def pipelined(server: ServerProcess) -> float:
    """Send many over one wire connection; return messages a second."""
    sender, recipient = new_session(server.grpc, "sender"), new_session(server.grpc, "sink")
    outcome = in_own_process(
        pipelined_load,
        server.wire,
        server.pid,
        Duration(0.5, 3.0),
        token=sender.token,
        recipient=recipient.username,
        calls=max(_PASSING, IN_FLIGHT),
    )
    return outcome.rate


def deliver(server: ServerProcess) -> float:
    """Deliver a backlog to one reader, acknowledging as it goes; return messages a second."""
    reader, source = new_session(server.grpc, "reader"), new_session(server.grpc, "source")
    messages = (OutgoingMessage(reader.username, new_message_id(), _TEXT) for _ in range(_BACKLOG))
    with ChatClient.connect(server.wire, session=source, timeout=30) as client:
        for _, outcome in client.send_many(messages):
            if not isinstance(outcome, Receipt):
                raise outcome
    return in_own_process(deliver_load, server.grpc, server.pid, token=reader.token, messages=_BACKLOG).rate


def start_time(path: Path) -> float:
    """Start a server on the file itself; return the seconds until a call is answered."""
    began = time.perf_counter()
    with ServerProcess(store=path, in_place=True) as server, ChatClient.connect(server.grpc, timeout=30) as client:
        client.log_in("crowd0", PASSWORD)
        return time.perf_counter() - began


def pass_through(messages: int) -> list[float]:
    """Send so many messages through one server, and deliver them; return its memory on the way, in MiB."""
    sizes = []
    with ServerProcess() as server:
        for _ in range(max(1, messages // _PASSING)):
            sender, recipient = new_session(server.grpc, "sender"), new_session(server.grpc, "sink")
            sent = in_own_process(
                pipelined_load,
                server.wire,
                server.pid,
                Duration(0.0, 600.0),
                token=sender.token,
                recipient=recipient.username,
                calls=_PASSING,
            ).sent
            in_own_process(deliver_load, server.grpc, server.pid, token=recipient.token, messages=sent)
            sizes.append(server.resident_bytes() / (1 << 20))
            say(f"  {len(sizes) * _PASSING:,} messages: {sizes[-1]:.0f} MiB")
    return sizes


def _table(columns: dict[str, Figures]) -> str:
    first, *others = columns
    lines = [
        f"| messages stored | {' | '.join(columns)} |{''.join(f' {name} to {first} |' for name in others)}",
        f"|---|{'--:|' * (len(columns) + len(others))}",
    ]
    for name, start in columns[first].items():
        cells = [f"{figures[name]:,.1f}" for figures in columns.values()]
        cells += [f"{columns[other][name] / start:.2f}" if start else "" for other in others]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
