"""python -m bench.history: cause faults in rounds, then check what the clients recorded."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.history.run import Outcome, Plan, run

FAULTS = ("kill", "term", "stop", "reset", "restore", "mixed")


def main() -> int:
    """Run the history checker. Return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    add = parser.add_argument
    add("--fault", choices=FAULTS, default="mixed", help="(default: %(default)s)")
    add("--rounds", type=int, default=20, help="how many faults (default: %(default)s)")
    add("--seconds", type=float, help="run for this long instead; 3600 for an hour")
    add("--senders", type=int, default=8, help="(default: %(default)s)")
    add("--receivers", type=int, default=8, help="(default: %(default)s)")
    add("--seed", type=int, default=1, help="what chance is drawn from (default: %(default)s)")
    add("--wire", action="store_true", help="speak the wire protocol instead of gRPC")
    add("--server-path", type=Path, default=Plan.source, help="where the server's package lies (default: here)")
    add("--keep-epoch", action="store_true", help="set the old epoch back after each restore, which must be found out")
    add("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args()
    plan = Plan(
        parsed.fault,
        parsed.rounds,
        parsed.senders,
        parsed.receivers,
        parsed.seed,
        parsed.seconds,
        parsed.wire,
        parsed.server_path,
        parsed.keep_epoch,
    )
    with tempfile.TemporaryDirectory(prefix="chatbooth-history-") as folder:
        outcome = run(plan, Path(folder))
    print(json.dumps(_record(outcome)) if parsed.json else _table(outcome))
    return 0 if outcome.verdict.is_clean else 1


def _record(outcome: Outcome) -> dict[str, object]:
    return {
        "faults": dict(outcome.faults),
        "restored": dict(outcome.ways),
        "acknowledged": outcome.acknowledged,
        "shown": outcome.shown,
        "seconds": round(outcome.seconds, 1),
        **outcome.verdict.counts(),
    }


def _table(outcome: Outcome) -> str:
    lines = [f"{name:>12}  {value}" for name, value in _record(outcome).items()]
    found = [line for kind in vars(outcome.verdict).values() for line in kind[:5]]
    return "\n".join((*lines, *(f"  {line}" for line in found)))


if __name__ == "__main__":
    sys.exit(main())
