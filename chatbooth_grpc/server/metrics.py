"""The metrics of one server: the tally, the figures that are sampled, and the listener."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chatbooth_grpc.server.extras import ExtraMissing
from chatbooth_grpc.server.flags import Endpoint

if TYPE_CHECKING:
    from chatbooth_grpc.metrics.endpoint import MetricsEndpoint
    from chatbooth_grpc.metrics.gauges import Gauges


class Metrics:
    """Counts from its making on, and answers scrapes from `start` to `stop`."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises ExtraMissing if the library for the format is not installed."""
        from chatbooth_grpc.metrics.tally import Tally

        try:
            import prometheus_client  # noqa: F401  # only to find out whether it is there
        except ImportError as error:
            raise ExtraMissing("--metrics", "prometheus-client", "metrics") from error
        self._endpoint = endpoint
        self._listener: MetricsEndpoint | None = None
        # The observer to give to the parts of the server.
        self.tally = Tally()
        # How many messages were unacknowledged at the latest sample. None before the first one.
        self.unacknowledged: int | None = None

    def sampler(self, count: Callable[[], int]) -> Callable[[], None]:
        """Return a function that takes a sample. `count` counts the unacknowledged messages in the store."""

        def sample() -> None:
            self.unacknowledged = count()

        return sample

    def start(self, gauges: Gauges) -> str:
        """Listen, and return the address, HOST:PORT. Raises ListenError."""
        from chatbooth_grpc.metrics.endpoint import MetricsEndpoint
        from chatbooth_grpc.metrics.exposition import registry_of

        self._listener = MetricsEndpoint(self._endpoint.host, self._endpoint.port, registry_of(self.tally, gauges))
        return self._listener.start()

    def stop(self) -> None:
        """Answer no more scrapes."""
        if self._listener is not None:
            self._listener.stop()
