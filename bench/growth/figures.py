"""What an axis gave: each figure at each size, every repeat of it, and its ratio from the first size to the last."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One figure along an axis: at each size that has it an entry for each repeat, those of one index in one turn."""

    name: str
    unit: str
    repeats: dict[int, list[float]]
    is_compared: bool = True
    """Whether it should stay as it is while the axis grows; a file's size should not."""

    def median(self, size: int) -> float:
        """Return the median at a size."""
        return statistics.median(self.repeats[size])

    @property
    def ratios(self) -> list[float]:
        """Each repeat's figure at the last size to that at the first; empty if there is nothing to compare."""
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
    """What grew, every figure, and sentences about what no table has room for."""

    name: str
    what: str
    figures: list[Figure]
    notes: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> list[int]:
        """The sizes, smallest first."""
        return list(self.figures[0].repeats)

    def record(self) -> dict[str, object]:
        """Return everything, for JSON."""
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
