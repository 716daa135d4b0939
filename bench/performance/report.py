"""The heading of a measurement, and the place of its table in docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from bench.pages import marks, write_between
from bench.performance.plan import Plan
from bench.performance.rows import Row, table

FIGURES = "figures"
BEGIN, END = marks(FIGURES)


def heading(plan: Plan, busy: float) -> str:
    """Return the time, the machine and the repeats of a measurement. Other processes used `busy` cores just before."""
    return f"{measured_on(busy)} Median of {plan.repeats}, {plan.duration.counted:g} seconds each."


def measured_on(busy: float) -> str:
    """Return the time and the machine of a measurement. Other processes used `busy` cores just before."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "protobuf", "apsw"))
    when = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return (
        f"Measured on {when}: {os.cpu_count()} cores ({_processor()}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {packages}. "
        f"Others kept {busy:.1f} cores busy just before."
    )


def write_page(page: Path, heading: str, rows: Sequence[Row]) -> None:
    """Put the table into the page, between its marks. The text around them stays."""
    write_between(page, FIGURES, f"{heading}\n\n{table(rows)}")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
