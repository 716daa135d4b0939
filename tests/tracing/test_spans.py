"""Spans: monotonic times become times of the day, and only the given parent counts."""

from __future__ import annotations

import time

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chatbooth_grpc.tracing.spans import Spans, Timing

SECOND = 1_000_000_000


def test_times_are_those_of_the_events_and_the_surrounding_span_is_no_parent() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    spans = Spans(tracer)
    now, today = time.monotonic(), time.time_ns()
    with tracer.start_as_current_span("surrounding"):
        root = spans.begin("root", now - 2, attributes={"a": 1})
        spans.record("child", Timing(now - 1, now - 0.5), parent=root.get_span_context(), attributes={})
        root.end()
    for _ in range(1_000):
        spans.record("instant", Timing(now, now), parent=root.get_span_context(), attributes={})
    child, first, _, *instants = exporter.get_finished_spans()
    assert all(span.start_time == span.end_time for span in instants)
    assert first.parent is None
    assert first.attributes == {"a": 1}
    assert child.parent is not None
    assert child.parent.span_id == root.get_span_context().span_id
    for at, seconds in ((first.start_time, 2.0), (child.start_time, 1.0), (child.end_time, 0.5)):
        assert at is not None
        assert abs(today - seconds * SECOND - at) < 0.4 * SECOND
