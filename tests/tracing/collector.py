"""A receiver of OTLP over HTTP, which keeps the spans that it gets."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.waiting import wait_until


class Collector:
    """Listens on loopback inside a `with` block."""

    def __init__(self, port: int = 0) -> None:
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        # The status of each answer.
        self.status = HTTPStatus.OK
        # While this is not set, no request gets an answer.
        self.answers = threading.Event()
        self.answers.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port at which it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The address to give to a server."""
        return f"http://127.0.0.1:{self.port}"

    def requests(self) -> list[ExportTraceServiceRequest]:
        """Return what came, decoded."""
        return [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]

    def spans(self, *names: str) -> list[Span]:
        """Return the spans that came, or those that have one of the names."""
        found = [
            span
            for request in self.requests()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return [span for span in found if not names or span.name in names]

    def wait_for(self, *names: str) -> Sequence[Span]:
        """Wait until a span of each name has come. Return the first one of each, in the order of the names."""
        wait_until(lambda: {span.name for span in self.spans(*names)} >= set(names))
        return [self.spans(name)[0] for name in names]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.answers.wait(60)
                if collector.status == HTTPStatus.OK:
                    collector.paths.append(self.path)
                    collector.bodies.append(body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        return Handler


def attributes_of(span: Span) -> dict[str, str | int]:
    """Return the attributes of a span."""
    return {
        each.key: each.value.string_value if each.value.HasField("string_value") else each.value.int_value
        for each in span.attributes
    }
