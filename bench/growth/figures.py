"""The results of an axis: each figure at each size, with its repeats and its ratio."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One figure along an axis. Each size has an entry for each repeat. Entries of one index are of one turn."""

    name: str
    unit: str
    repeats: dict[int, list[float]]
    is_compared: bool = True
    """Whether the figure should stay the same while the axis grows. The size of a file should not."""

    def median(self, size: int) -> float:
        """Return the median at a size."""
        return statistics.median(self.repeats[size])

    @property
    def ratios(self) -> list[float]:
        """The ratio of the last size's figure to the first size's, for each repeat. Empty if there is only one size."""
        if not self.is_compared or len(self.repeats) < 2:
            return []
        first, *_, last = self.repeats.values()
        return [end / start for start, end in zip(first, last, strict=True)]

    @property
    def ratio(self) -> float | None:
        """The median of the ratios."""
        return statistics.median(self.ratios) if self.ratios else None


@dataclass(frozen=True)
class Axis:
    """The name of the axis, every figure, and sentences for which no table has room."""

    name: str
    what: str
    figures: list[Figure]
    notes: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> list[int]:
        """The sizes, smallest first."""
        return list(self.figures[0].repeats)

    def record(self) -> dict[str, object]:
        """Return all values, for JSON."""
        return {
            "what": self.what,
            "figures": [
                {
                    "name": figure.name,
                    "unit": figure.unit.strip(),
                    "repeats": figure.repeats,
                    "ratio": figure.ratio,
                }
                for figure in self.figures
            ],
            "notes": self.notes,
        }
