"""A plot of each axis. Each figure has its own panel, from zero, so that flat looks flat."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bench.growth.figures import Axis, Figure
from bench.growth.memory import Passing

_LINE, _PEAK = "#1b7f5c", "#c2571a"
_COLUMNS = 3
_SCALE = 1.25  # room above the highest point


def draw_axis(axis: Axis, path: Path) -> None:
    """Write a PNG with a panel for each figure that has a ratio. Needs matplotlib."""
    plt = _pyplot()
    figures = [figure for figure in axis.figures if figure.ratio is not None]
    rows = math.ceil(len(figures) / _COLUMNS)
    paper, panels = plt.subplots(rows, _COLUMNS, figsize=(3 * _COLUMNS, 1.9 * rows), squeeze=False)
    for panel, figure in zip(panels.flat, figures, strict=False):
        _draw_panel(panel, figure)
    for panel in list(panels.flat)[len(figures) :]:
        panel.set_visible(False)
    paper.supxlabel(axis.what, fontsize=9)
    _save(plt, paper, path)


def _draw_panel(panel: Any, figure: Figure) -> None:
    places = range(len(figure.repeats))
    for place, taken in zip(places, figure.repeats.values(), strict=True):
        panel.plot([place] * len(taken), taken, "o", color=_LINE, alpha=0.35, markersize=4)
    panel.plot(places, [figure.median(size) for size in figure.repeats], color=_LINE)
    panel.set_xticks(list(places), [_size(size) for size in figure.repeats])
    panel.set_xlim(-0.3, len(figure.repeats) - 0.7)
    panel.set_ylim(0, _SCALE * max(max(taken) for taken in figure.repeats.values()))
    panel.yaxis.set_major_formatter("{x:,g}")
    panel.set_title(", ".join(filter(None, (figure.name, figure.unit.strip()))), fontsize=7)
    panel.text(0.97, 0.06, f"last to first: {figure.ratio:.2f}", transform=panel.transAxes, ha="right", fontsize=7)
    _plain(panel)


def draw_passing(passing: Passing, path: Path) -> None:
    """Write a PNG of the memory after each mailbox, and of its peaks. Needs matplotlib."""
    plt = _pyplot()
    paper, panel = plt.subplots(figsize=(7, 2.6))
    millions = [sample.messages / 1e6 for sample in passing.samples]
    panel.plot(millions, [sample.peak for sample in passing.samples], color=_PEAK, linewidth=1, label="peak")
    panel.plot(millions, [sample.memory for sample in passing.samples], color=_LINE, label="after each mailbox")
    panel.set_xlabel("million messages passed", fontsize=8)
    panel.set_ylabel("server memory, MiB", fontsize=8)
    panel.set_ylim(0, _SCALE * max(sample.peak for sample in passing.samples))
    panel.legend(frameon=False, fontsize=8, loc="lower right")
    _plain(panel)
    _save(plt, paper, path)


def _pyplot() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _size(size: int) -> str:
    return f"{size // 1_000_000:,}M" if size and size % 1_000_000 == 0 else f"{size:,}"


def _plain(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7)
    panel.grid(axis="y", alpha=0.3)


def _save(plt: Any, paper: Any, path: Path) -> None:
    paper.tight_layout()
    # With a white background, the plot is legible on any page.
    paper.savefig(path, dpi=110, facecolor="white")
    plt.close(paper)
