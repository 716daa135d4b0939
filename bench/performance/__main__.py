"""python -m bench.performance: measure all in one run, and print the table of ratios."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench.performance.deliver import deliver
from bench.performance.fanout import fanout
from bench.performance.floors import floors
from bench.performance.guarded import guarded
from bench.performance.live import live
from bench.performance.lone_pair import lone_pair
from bench.performance.outcome import Duration
from bench.performance.plan import Plan, say
from bench.performance.processes import busy_cores
from bench.performance.report import heading, write_page
from bench.performance.rows import Row, table
from bench.performance.store import store
from bench.performance.unary import unary
from bench.performance.wire import wire

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
MEASUREMENTS: dict[str, Callable[[Plan], list[Row]]] = {
    "unary": unary,
    "store": store,
    "wire": wire,
    "deliver": deliver,
    "live": live,
    "lone-pair": lone_pair,
    "fanout": fanout,
    "floors": floors,
    "guarded": guarded,
}
QUICK = Plan(repeats=1, duration=Duration(warm_up=0.1, counted=0.2), scale=0.02)


def main() -> int:
    """Measure, print the table, and write the files that the flags ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench.performance", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)} (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that count in each (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a short run, whose figures mean nothing")
    parser.add_argument("--folder", default="/var/tmp", help="where the stores lie (default: %(default)s)")  # noqa: S108
    parser.add_argument("--json", type=Path, help="write every figure as JSON, too")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    parsed = parser.parse_args()
    if unknown := set(parsed.names) - set(MEASUREMENTS):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    # /tmp may be in memory, so this is a folder on a disk. The processes of the loads inherit the variable.
    os.environ["TMPDIR"] = parsed.folder
    plan = QUICK if parsed.quick else Plan(parsed.repeats, Duration(counted=parsed.seconds))
    above = heading(plan, busy_cores())
    rows = []
    for name in parsed.names or MEASUREMENTS:
        say(name)
        rows += MEASUREMENTS[name](plan)
    print(f"{above}\n\n{table(rows)}", end="")
    if parsed.json:
        parsed.json.write_text(json.dumps([row.record() for row in rows], indent=1))
    if parsed.write:
        write_page(PAGE, above, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
