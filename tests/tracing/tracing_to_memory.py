"""An observer that traces everything, and exports the spans to memory alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chatbooth_grpc.booth.observing import Observer

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")


@contextmanager
def tracing_to_memory() -> Iterator[Observer]:
    """Give the observer, and end its export."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from chatbooth_grpc.tracing.exporting import Exporting
    from chatbooth_grpc.tracing.following import Following
    from chatbooth_grpc.tracing.observer import TraceObserver
    from chatbooth_grpc.tracing.sampling import Sampler
    from chatbooth_grpc.tracing.spans import Spans

    exporting = Exporting(None, exporter=InMemorySpanExporter())
    try:
        yield TraceObserver(Spans(exporting.tracer), Sampler(1), Following())
    finally:
        exporting.stop()
