"""Makes spans from the times of the observer, which are monotonic seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Tracer, set_span_in_context

Attributes = Mapping[str, str | int]


class Timing(NamedTuple):
    """When something began and ended, in monotonic seconds."""

    began: float
    ended: float


class Spans:
    """Begins and ends the spans of one tracer. Many threads may call it."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(
        self,
        name: str,
        began: float,
        *,
        parent: SpanContext | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes,
        links: Sequence[SpanContext] = (),
    ) -> Span:
        """Begin a span. Without a parent it begins a trace."""
        return self._start(name, _nanoseconds(began), parent=parent, kind=kind, attributes=attributes, links=links)

    def record(
        self,
        name: str,
        timing: Timing,
        *,
        parent: SpanContext,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes,
    ) -> SpanContext:
        """Make a span that has ended. Return its context."""
        # Two readings of the clocks differ a little, and a span must not end before it begins.
        ended = _nanoseconds(timing.ended)
        began = ended - int((timing.ended - timing.began) * 1e9)
        span = self._start(name, began, parent=parent, kind=kind, attributes=attributes)
        span.end(ended)
        return span.get_span_context()

    def _start(
        self,
        name: str,
        nanoseconds: int,
        *,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[SpanContext] = (),
    ) -> Span:
        # The context of this thread may belong to another trace.
        context = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent))
        return self._tracer.start_span(name, context, kind, attributes, [Link(each) for each in links], nanoseconds)


def _nanoseconds(moment: float) -> int:
    """Return a moment of the monotonic clock in nanoseconds since 1970."""
    return time.time_ns() - int((time.monotonic() - moment) * 1e9)
