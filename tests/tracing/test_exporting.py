"""Exporting: the address of the receiver, a bounded queue, and one line for all that is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from chatbooth_grpc.booth import lasting_state
from chatbooth_grpc.tracing.exporting import FLUSH_TIME, MOST_WAITING, Exporting, spans_url
from tests.tracing.collector import Collector
from tests.waiting import wait_until


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with Collector() as receiving:
        yield receiving


class Held(SpanExporter):
    """An exporter that takes as long as a test wants."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.count = 0
        self.names: set[str] = set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.may_end.wait(60)
        self.count += len(spans)
        self.names |= {span.name for span in spans}
        return SpanExportResult.SUCCESS


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged about traces, with the cause."""
    return [
        f"{record.getMessage()}: {getattr(record, 'cause', None)}"
        for record in caplog.records
        if record.name.endswith("exporting")
    ]


@pytest.mark.parametrize(
    "url", ["http://a:4318", "http://a:4318/", "http://a:4318/v1/traces", "http://a:4318/v1/traces/"]
)
def test_the_receivers_address_may_have_the_path_or_not(url: str) -> None:
    assert spans_url(url) == "http://a:4318/v1/traces"
    assert spans_url("https://a/otlp") == "https://a/otlp/v1/traces"


def test_spans_arrive_under_the_servers_name(collector: Collector) -> None:
    exporting = Exporting(collector.url)
    exporting.tracer.start_span("one").end()
    exporting.stop()
    [span] = collector.spans()
    assert span.name == "one"
    [resource] = [each.resource for each in collector.requests()[0].resource_spans]
    assert "chatbooth" in {each.value.string_value for each in resource.attributes if each.key == "service.name"}


def test_spans_beyond_the_queue_are_lost_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    held = Held()
    exporting = Exporting("http://127.0.0.1:1", exporter=held)
    for _ in range(4 * MOST_WAITING):
        exporting.tracer.start_span("one").end()
    assert lines(caplog) == [f"traces are lost: {MOST_WAITING:,} spans wait"]
    held.may_end.set()
    # After the export, the queue has room again.
    wait_until(lambda: held.count >= MOST_WAITING)
    exporting.tracer.start_span("another").end()
    exporting.stop()
    assert "another" in held.names
    # Those of one batch have left the queue before their export ends.
    assert MOST_WAITING <= held.count < 2 * MOST_WAITING


def test_a_receiver_that_fails_is_one_line_and_its_return_another(
    collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting_state.LastingState.__init__, "__kwdefaults__", {"quiet": 0.0, "now": time.monotonic})
    collector.status = HTTPStatus.FORBIDDEN
    exporting = Exporting(collector.url)
    for _ in range(3):
        exporting.tracer.start_span("lost").end()
        wait_until(lambda: lines(caplog) == ["traces are lost: HTTP 403"])
    collector.status = HTTPStatus.OK
    exporting.tracer.start_span("kept").end()
    collector.wait_for("kept")
    wait_until(lambda: len(lines(caplog)) == 2)
    exporting.stop()
    assert lines(caplog)[1].startswith("traces are exported again")
    assert {record.name for record in caplog.records if record.name.startswith("opentelemetry")} == set()


def test_a_redirection_is_no_success(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    collector.status = HTTPStatus.FOUND
    exporting = Exporting(collector.url)
    exporting.tracer.start_span("one").end()
    wait_until(lambda: lines(caplog) == ["traces are lost: HTTP 302"])
    exporting.stop()


def test_the_end_waits_only_a_short_time() -> None:
    held = Held()
    exporting = Exporting("http://127.0.0.1:1", exporter=held)
    exporting.tracer.start_span("one").end()
    began = time.monotonic()
    exporting.stop()
    # The SDK alone would wait for half a minute.
    assert FLUSH_TIME <= time.monotonic() - began < 25
    held.may_end.set()
    wait_until(lambda: "traces-flush" not in {thread.name for thread in threading.enumerate()})
