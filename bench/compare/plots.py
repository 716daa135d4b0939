"""The plots of the comparison, legible on a light page and on a dark one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.compare.measuring import Comparison

_WIRE, _GRPC = "#1b7f5c", "#c2571a"


def draw_plots(comparison: Comparison, folder: Path) -> None:
    """Write comparison-bytes.png and comparison-load.png. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    _draw_bytes(plt, comparison, folder / "comparison-bytes.png")
    _draw_load(plt, comparison, folder / "comparison-load.png")


def _draw_bytes(plt: Any, comparison: Comparison, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 2.6))
    parts = ("send", "reply", "push")
    for row, (figures, colour) in enumerate(((comparison.grpc, _GRPC), (comparison.wire, _WIRE))):
        left = 0
        for shade, part in zip((1.0, 0.7, 0.45), parts, strict=True):
            size = getattr(figures.message, part)
            axes.barh(row, size, left=left, color=colour, alpha=shade, edgecolor="white")
            axes.text(left + size / 2, row, f"{part}\n{size}", ha="center", va="center", fontsize=8)
            left += size
        axes.text(left + 4, row, str(left), va="center", fontweight="bold")
    axes.set_yticks([0, 1], ["gRPC", "wire"])
    axes.set_xlabel("bytes of TCP payload for one message of 60 bytes, steady")
    _finish(plt, figure, axes, path)


def _draw_load(plt: Any, comparison: Comparison, path: Path) -> None:
    figure, both = plt.subplots(1, 2, figsize=(9, 3.2))
    for name, figures, colour in (("wire", comparison.wire, _WIRE), ("gRPC", comparison.grpc, _GRPC)):
        clients = [str(load.clients) for load in figures.loads]
        both[0].plot(clients, [load.rate for load in figures.loads], marker="o", color=colour, label=name)
        both[1].plot(clients, [load.p50 for load in figures.loads], marker="o", color=colour, label=f"{name} p50")
        both[1].plot(clients, [load.p99 for load in figures.loads], "--", marker="x", color=colour, label=f"{name} p99")
    both[0].set_ylabel("durable sends a second")
    both[1].set_ylabel("latency, ms")
    both[1].set_yscale("log")
    for axes in both:
        axes.set_xlabel("clients in a closed loop")
        axes.legend(frameon=False, fontsize=8)
        axes.grid(alpha=0.3)
    both[0].set_ylim(bottom=0)
    _finish(plt, figure, None, path)


def _finish(plt: Any, figure: Any, axes: Any, path: Path) -> None:
    if axes is not None:
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    # With a white background, the plot is legible on any page.
    figure.savefig(path, dpi=150, facecolor="white")
    plt.close(figure)
