"""Exports spans by OTLP over HTTP, on a thread of OpenTelemetry's SDK."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Tracer

from chatbooth_grpc import __version__
from chatbooth_grpc.booth.lasting_state import LastingState

MOST_WAITING = 2_048
"""How many spans may wait for their export. Those that come then are lost."""

FLUSH_TIME = 2.0
"""How many seconds the server waits at its end until the last spans are exported."""

_TOO_MANY = f"{MOST_WAITING:,} spans wait"
_PATH = "/v1/traces"
_SUCCESS = 300

_log = logging.getLogger(__name__)


def spans_url(url: str) -> str:
    """Return the address for spans, of a receiver's address. It may be either, as people write it."""
    base = url.rstrip("/")
    return base if base.endswith(_PATH) else f"{base}{_PATH}"


class Exporting:
    """Exports what its tracer makes, from its making until `stop`. A receiver that is slow or gone only loses spans."""

    def __init__(self, url: str | None, *, exporter: SpanExporter | None = None) -> None:
        """`url` is the address of the receiver. None leaves it to OTEL_EXPORTER_OTLP_ENDPOINT and the like.

        `exporter` takes the place of the one over HTTP.
        """
        lost = LastingState(_log, "traces are lost", "traces are exported again")
        session = _Session()
        inner = exporter or OTLPSpanExporter(endpoint=spans_url(url) if url else None, session=session)
        self._processor = _BoundedProcessor(inner, session, lost)
        # The observer has decided what is traced before it begins a span.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        self.tracer: Tracer = provider.get_tracer("chatbooth", __version__)
        # The SDK has said by now which of its variables it cannot read. It would log each failure of an export.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def stop(self) -> None:
        """Export the spans that wait, for a short time at most."""
        # The SDK waits for up to 30 seconds for its receiver, and takes no other limit.
        flushing = threading.Thread(target=self._processor.shutdown, name="traces-flush", daemon=True)
        flushing.start()
        flushing.join(FLUSH_TIME)


class _BoundedProcessor(BatchSpanProcessor):
    """Hands on the spans that fit the queue, and counts the others. The SDK would drop the oldest silently."""

    def __init__(self, exporter: SpanExporter, session: _Session, lost: LastingState) -> None:
        self._lost = lost
        self._waiting_lock = threading.Lock()
        self._waiting = 0
        super().__init__(_WatchedExporter(exporter, session, lost, self._left), max_queue_size=MOST_WAITING)

    def on_end(self, span: ReadableSpan) -> None:
        with self._waiting_lock:
            fits = self._waiting < MOST_WAITING
            self._waiting += fits
        if fits:
            super().on_end(span)
        else:
            self._lost.refused(_TOO_MANY)

    def _left(self, count: int) -> None:
        """Note that spans have left the queue."""
        with self._waiting_lock:
            self._waiting -= count


class _WatchedExporter(SpanExporter):
    """Notes in a lasting state whether an exporter works."""

    def __init__(self, exporter: SpanExporter, session: _Session, lost: LastingState, left: Any) -> None:
        self._exporter = exporter
        self._session = session
        self._lost = lost
        self._left = left

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._left(len(spans))
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS and not self._session.failure:
            self._lost.worked()
        else:
            self._lost.refused(self._session.failure or "the export failed", len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Session(requests.Session):
    """Keeps the cause of the latest failure, which the SDK only logs."""

    def __init__(self) -> None:
        super().__init__()
        self.failure = ""

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        """Send a request."""
        try:
            response = super().send(request, **settings)
        except (requests.RequestException, OSError) as error:
            self.failure = type(error).__name__
            raise
        # The SDK does not follow a redirection, but takes it for a success.
        self.failure = "" if response.status_code < _SUCCESS else f"HTTP {response.status_code}"
        return response


def _resource() -> Resource:
    """Return how the spans name this server. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win."""
    own = Resource.create({"service.name": "chatbooth", "service.version": __version__})
    return own.merge(OTELResourceDetector().detect())
