"""The client's trace: one header of a fixed size if the program has a span, and nothing otherwise."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from chatbooth_grpc.client.library.trace_context import trace_metadata

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("flags", [0, 1])
def test_the_present_span_is_named(flags: int) -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    context = trace.SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=False, trace_flags=trace.TraceFlags(flags))
    with trace.use_span(trace.NonRecordingSpan(context)):
        assert trace_metadata() == (("traceparent", f"00-{TRACE}-{SPAN}-0{flags}"),)


def test_without_a_span_there_is_no_header() -> None:
    pytest.importorskip("opentelemetry.trace")
    assert trace_metadata() == ()


@pytest.mark.parametrize("is_being_imported", [False, True])
def test_without_the_library_there_is_no_header(monkeypatch: pytest.MonkeyPatch, is_being_imported: bool) -> None:
    name = "opentelemetry.trace"
    if is_being_imported:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    else:
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert trace_metadata() == ()
