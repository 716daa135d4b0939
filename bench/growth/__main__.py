"""python -m bench.growth: figures along three axes, and memory over ten million messages."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.growth.axes import measure_accounts, measure_listeners, measure_messages
from bench.growth.figures import Axis
from bench.growth.memory import Passing, measure_memory
from bench.growth.plots import draw_axis, draw_passing
from bench.growth.report import axis_text, passing_text
from bench.growth.sizes import QUICK, Sizes, ascending
from bench.pages import write_between
from bench.performance.outcome import Duration
from bench.performance.plan import Plan, say
from bench.performance.processes import busy_cores
from bench.performance.report import heading, measured_on

DOCS = Path(__file__).parents[2] / "docs"
AXES: dict[str, Callable[[Plan, Sizes], Axis]] = {
    "messages": measure_messages,
    "accounts": measure_accounts,
    "listeners": measure_listeners,
}
MEMORY = "memory"
NAMES = (*AXES, MEMORY)
_QUICK = Plan(repeats=2, duration=Duration(warm_up=0.05, counted=0.1), scale=0.02)


def main() -> int:
    """Measure, print a table for each axis, and write the files that the flags ask for."""
    parser = _parser()
    parsed = parser.parse_args()
    names = parsed.names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"no such axis: {', '.join(sorted(unknown))}")
    if parsed.write and importlib.util.find_spec("matplotlib") is None:
        parser.error("--write needs matplotlib: scripts/setup.sh dev")
    # /tmp may be in memory, so this is a folder on a disk. The processes of the loads inherit the variable.
    os.environ["TMPDIR"] = parsed.folder
    plan = _QUICK if parsed.quick else Plan(parsed.repeats, Duration(counted=parsed.seconds))
    records = {}
    for name in names:
        say(name)
        above, result = _measured(name, plan, _sizes(parsed))
        text = passing_text(result) if isinstance(result, Passing) else axis_text(result)
        print(f"{above}\n\n{text}", flush=True)
        records[name] = result.record()
        if parsed.json:
            parsed.json.write_text(json.dumps(records, indent=1))
        if parsed.write:
            _write(parsed.docs, name, f"{above}\n\n{text}", result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    add("--messages", type=ascending, metavar="SIZES", help=f"stored (default: {_joined(Sizes.messages)})")
    add("--accounts", type=ascending, metavar="SIZES", help=f"from 100 on (default: {_joined(Sizes.accounts)})")
    add("--listeners", type=ascending, metavar="SIZES", help=f"live streams (default: {_joined(Sizes.listeners)})")
    add("--passing", type=int, metavar="MESSAGES", help=f"for the memory (default: {Sizes.passing})")
    add("--repeats", type=int, default=3, help="of each load (default: %(default)s)")
    add("--seconds", type=float, default=1.5, help="that count in each load (default: %(default)s)")
    add("--quick", action="store_true", help="a short run, whose figures mean nothing")
    add("--folder", default="/var/tmp", help="where the stores lie (default: %(default)s)")  # noqa: S108
    add("--json", type=Path, help="write every figure as JSON, too")
    add("--write", action="store_true", help="write the tables into performance.md, and the plots beside it")
    add("--docs", type=Path, default=DOCS, help="the folder of performance.md (default: docs)")
    return parser


def _joined(sizes: tuple[int, ...]) -> str:
    return ",".join(map(str, sizes))


def _sizes(parsed: argparse.Namespace) -> Sizes:
    """Return the sizes that the flags ask for, and the usual sizes of the other axes."""
    asked: dict[str, Any] = {name: getattr(parsed, name) for name in (*AXES, "passing")}
    asked = {name: sizes for name, sizes in asked.items() if sizes is not None}
    return dataclasses.replace(QUICK if parsed.quick else Sizes(), **asked)


def _measured(name: str, plan: Plan, sizes: Sizes) -> tuple[str, Axis | Passing]:
    """Measure one axis. Return a heading with the time and the machine, and the result."""
    busy = busy_cores()
    if name == MEMORY:
        return measured_on(busy), measure_memory(sizes)
    return heading(plan, busy), AXES[name](plan, sizes)


def _write(docs: Path, name: str, text: str, result: Axis | Passing) -> None:
    write_between(docs / "performance.md", f"growth-{name}", text)
    plot = docs / f"growth-{name}.png"
    if isinstance(result, Passing):
        draw_passing(result, plot)
    else:
        draw_axis(result, plot)


if __name__ == "__main__":
    sys.exit(main())
