"""The traces of one server: the observer, and the export of its spans."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chatbooth_grpc.server.extras import ExtraMissing

if TYPE_CHECKING:
    from chatbooth_grpc.booth.observing import Observer

FROM_ENVIRONMENT = "env"
"""Stands for the receiver that OpenTelemetry's own variables name."""

DEFAULT_RATIO = 0.01


def read_receiver(text: str) -> str:
    """Read the receiver of a flag. Raises argparse.ArgumentTypeError."""
    if text == FROM_ENVIRONMENT:
        return text
    if "@" in text:
        # No error may show the text.
        raise argparse.ArgumentTypeError(
            "the URL may have no password, since others could read it; use OTEL_EXPORTER_OTLP_HEADERS"
        )
    if not _is_url(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://127.0.0.1:4318, and not env")
    return text


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        is_address = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return is_address and url.scheme in ("http", "https") and not url.query and not url.fragment


def read_ratio(text: str) -> float:
    """Read a part of all calls, from 0 to 1. Raises argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1, such as 0.01")
    return value


class Traces:
    """Makes and exports spans, from its making until `stop`."""

    def __init__(self, receiver: str, ratio: float) -> None:
        """`receiver` is a URL or FROM_ENVIRONMENT, `ratio` the part of all calls to trace.

        Raises ExtraMissing if the library is not installed.
        """
        try:
            from chatbooth_grpc.tracing.exporting import Exporting
        except ImportError as error:
            raise ExtraMissing("--traces", "opentelemetry-exporter-otlp-proto-http", "traces") from error
        from chatbooth_grpc.tracing.following import Following
        from chatbooth_grpc.tracing.observer import TraceObserver
        from chatbooth_grpc.tracing.sampling import Sampler
        from chatbooth_grpc.tracing.spans import Spans

        self._exporting = Exporting(None if receiver == FROM_ENVIRONMENT else receiver)
        # The observer to give to the parts of the server.
        self.observer: Observer = TraceObserver(Spans(self._exporting.tracer), Sampler(ratio), Following())

    def stop(self) -> None:
        """Export the last spans, for a short time at most."""
        self._exporting.stop()
