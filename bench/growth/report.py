"""The tables of the growth figures, for docs/performance.md."""

from __future__ import annotations

from bench.growth.figures import Axis, Figure
from bench.growth.memory import Passing
from bench.performance.rows import short


def axis_text(axis: Axis) -> str:
    """Return an axis as Markdown: its table, then its notes."""
    sizes = axis.sizes
    lines = [
        f"| {axis.what} | {' | '.join(f'{size:,}' for size in sizes)} | last to first | spread |",
        f"|---|{'--:|' * (len(sizes) + 2)}",
    ]
    lines += [f"| {' | '.join(_cells(figure, sizes))} |" for figure in axis.figures]
    return "\n\n".join(("\n".join(lines), *axis.notes)) + "\n"


def _cells(figure: Figure, sizes: list[int]) -> list[str]:
    medians = [f"{short(figure.median(size))}{figure.unit}" if size in figure.repeats else "" for size in sizes]
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    spread = f"{min(figure.ratios):.2f} to {max(figure.ratios):.2f}" if len(figure.ratios) > 1 else ""
    return [figure.name, *medians, ratio, spread]


def passing_text(passing: Passing) -> str:
    """Return the memory of a server as Markdown."""
    first = passing.warm[0]
    lines = ["| messages passed | server memory | most since the row above | to the first after a mailbox |"]
    lines += ["|--:|--:|--:|--:|"]
    for row in passing.rows():
        ratio = f"{row.memory / first.memory:.2f}" if row.messages else ""
        lines.append(f"| {row.messages:,} | {row.memory:.1f} MiB | {row.peak:.1f} MiB | {ratio} |")
    words = (
        f"From {first.messages:,} messages to {passing.warm[-1].messages:,}: {passing.ratio:.2f}. Of the "
        f"{len(passing.warm):,} samples in between, one after each mailbox, the furthest from their median is "
        f"{100 * passing.distance:.1f}% away."
    )
    return "\n".join(lines) + f"\n\n{words}\n"
