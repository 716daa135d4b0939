"""Decides which calls and messages are traced."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.rates import Rate, RateTable

HEADER = "traceparent"
"""The metadata of gRPC by which a client passes its trace (https://www.w3.org/TR/trace-context/)."""

FROM_CLIENTS = Rate(100, 1.0, 100)
"""How many calls and messages are traced because their clients ask for it. Anybody can ask, for every call."""

_ALL_CLIENTS = "all clients"

_propagator = TraceContextTextMapPropagator()


class Sampler:
    """Samples by the parent: a call whose client has begun a trace is traced if that trace is, and any other by chance.

    Many threads may call it.
    """

    def __init__(self, ratio: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`ratio` is the part to trace of the calls that are not in a client's trace, from 0 to 1."""
        self._ratio = ratio
        self._from_clients = RateTable(FROM_CLIENTS, clock=clock)

    def choose(self, call: Call, count: int = 1) -> tuple[SpanContext | None, Sequence[int]]:
        """Choose among `count` messages of a call, or decide about the call itself.

        Returns the span of the client, if there is one, and the places of those that are traced.
        """
        header = call.header(HEADER)
        parent = parent_of(header) if header else None
        if parent is None:
            ratio = self._ratio
            # Most calls come alone, and most of them are not traced.
            if count == 1:
                return None, (0,) if random.random() < ratio else ()  # noqa: S311  # no secret
            return None, [place for place in range(count) if random.random() < ratio]  # noqa: S311  # no secret
        # The store's writer makes these spans, and no client may keep it busy for long.
        most = min(count, FROM_CLIENTS.burst)
        if not parent.trace_flags.sampled or self._from_clients.take(_ALL_CLIENTS, most):
            return parent, ()
        return parent, range(most)


def parent_of(header: str) -> SpanContext | None:
    """Return the span that a client passes. None: the header is malformed.

    The client's `tracestate` is not read, since it can hold anything.
    """
    found = get_current_span(_propagator.extract({HEADER: header}, Context())).get_span_context()
    return found if found.is_valid else None
