"""The documents have the metrics of the catalogue, in its words."""

from __future__ import annotations

from pathlib import Path

from chatbooth_grpc.metrics.catalogue import CATALOGUE, Metric

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


def row_of(metric: Metric) -> str:
    """Return the row by which the document describes a metric."""
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {metric.words}{f' By {labels}.' if labels else ''} |"


def test_the_document_describes_each_metric_and_no_other() -> None:
    text = OPERATING.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `chatbooth_")]
    assert rows == [row_of(metric) for metric in CATALOGUE]
