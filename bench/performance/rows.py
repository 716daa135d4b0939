"""The rows of the table: the figures of every repeat, their floors, and their target."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.performance.outcome import Outcome


@dataclass(frozen=True)
class Target:
    """The target for a row's ratio, or for its figure if it has no floor."""

    bound: float
    at_least: bool

    def is_met_by(self, value: float) -> bool:
        """Return whether a value reaches the target."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        sign = "\u2265" if self.at_least else "\u2264"
        return f"{sign} {self.bound:g}"


def at_least(bound: float) -> Target:
    """Return a target that larger values meet too."""
    return Target(bound, at_least=True)


def at_most(bound: float) -> Target:
    """Return a target that smaller values meet too."""
    return Target(bound, at_least=False)


@dataclass(frozen=True)
class Row:
    """One line of the table. The lists have an entry for each repeat. Entries of one index were measured together."""

    measurement: str
    name: str
    unit: str
    figures: list[float]
    floor_name: str = ""
    floors: list[float] | None = None
    target: Target | None = None
    # The medians of the cores that were busy.
    server_cores: float | None = None
    generator_cores: float | None = None

    @property
    def figure(self) -> float:
        """The median of the figures."""
        return statistics.median(self.figures)

    @property
    def floor(self) -> float | None:
        """The median of the floors."""
        return None if self.floors is None else statistics.median(self.floors)

    @property
    def ratios(self) -> list[float]:
        """The ratio of each figure to the floor that was measured beside it. Without floors, the figures."""
        if self.floors is None:
            return self.figures
        return [figure / floor for figure, floor in zip(self.figures, self.floors, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is met. None if there is no target."""
        return None if self.target is None else self.target.is_met_by(self.ratio)

    def record(self) -> dict[str, object]:
        """Return all values, for JSON."""
        return {
            "measurement": self.measurement,
            "name": self.name,
            "unit": self.unit,
            "figure": self.figure,
            "figures": self.figures,
            "floor_name": self.floor_name,
            "floor": self.floor,
            "floors": self.floors,
            "ratio": None if self.floors is None else self.ratio,
            "target": None if self.target is None else str(self.target),
            "is_reached": self.is_reached,
            "server_cores": self.server_cores,
            "generator_cores": self.generator_cores,
        }


def rate_row(
    measurement: str,
    name: str,
    outcomes: Sequence[Outcome],
    *,
    unit: str = "/s",
    floor_name: str = "",
    floors: Iterable[float] | None = None,
    target: Target | None = None,
) -> Row:
    """Return the row of a rate, with the cores that the server and the generator kept busy."""
    return Row(
        measurement,
        name,
        unit,
        [outcome.rate for outcome in outcomes],
        floor_name,
        None if floors is None else list(floors),
        target,
        statistics.median(outcome.server_cpu / outcome.seconds for outcome in outcomes),
        statistics.median(outcome.generator_cpu / outcome.seconds for outcome in outcomes),
    )


def cpu_row(measurement: str, name: str, outcomes: Sequence[Outcome], target: Target | None = None) -> Row:
    """Return the row of the server's CPU milliseconds for 1,000 operations."""
    figures = [1e6 * outcome.server_cpu / outcome.count for outcome in outcomes]
    return Row(measurement, name, " ms/1,000", figures, target=target)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| what | figure | floor | ratio | spread | target | reached | cores: server | generator |",
        "|---|--:|---|--:|--:|--:|:-:|--:|--:|",
    ]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    spread = f"{short(min(row.ratios))} to {short(max(row.ratios))}"
    floor = "" if row.floor is None else f"{row.floor_name}: {short(row.floor)}{row.unit}"
    ratio = "" if row.floor is None else f"{row.ratio:.2f}"
    reached = {None: "", True: "yes", False: "**no**"}[row.is_reached]
    cores = ["" if value is None else f"{value:.2f}" for value in (row.server_cores, row.generator_cores)]
    target = "" if row.target is None else str(row.target)
    figure = f"{short(row.figure)}{row.unit}"
    return [f"{row.measurement}: {row.name}", figure, floor, ratio, spread, target, reached, *cores]


def short(value: float) -> str:
    """Return a number with about three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
