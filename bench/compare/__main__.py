"""python -m bench.compare: measure both wires, and write docs/comparison.md and plots."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from bench.compare.measuring import measure
from bench.compare.plots import draw_plots
from bench.compare.report import figures_table, write_report

DOCS = Path(__file__).parents[2] / "docs"


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each load (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=1_000, help="idle connections (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=50_000, help="pipelined messages (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write docs/comparison.md and its plots")
    parser.add_argument("--json", type=Path, help="write the figures as JSON, too")
    parsed = parser.parse_args()
    comparison = measure(
        seconds=parsed.seconds,
        connections=parsed.connections,
        messages=parsed.messages,
        say=lambda words: print(words, file=sys.stderr, flush=True),
    )
    print(figures_table(comparison))
    if parsed.json:
        parsed.json.write_text(json.dumps(dataclasses.asdict(comparison), indent=1))
    if parsed.write:
        write_report(comparison, DOCS / "comparison.md")
        draw_plots(comparison, DOCS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
