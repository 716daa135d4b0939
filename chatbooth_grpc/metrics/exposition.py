"""Shows the tally and the gauges to prometheus-client, which formats them."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from chatbooth_grpc import __version__
from chatbooth_grpc.metrics import catalogue
from chatbooth_grpc.metrics.catalogue import Metric
from chatbooth_grpc.metrics.gauges import Gauges
from chatbooth_grpc.metrics.tally import Histogram, Tally

Samples: TypeAlias = Iterable[tuple[tuple[str, ...], float | None]]
"""Pairs of label values and a value. A value of None means that there is none now."""


def registry_of(tally: Tally, gauges: Gauges) -> CollectorRegistry:
    """Return the registry of a server, with the metrics of its process."""
    registry = CollectorRegistry()
    registry.register(_ServerCollector(tally, gauges))
    ProcessCollector(registry=registry)
    return registry


class _ServerCollector(Collector):
    def __init__(self, tally: Tally, gauges: Gauges) -> None:
        self._tally = tally
        self._gauges = gauges

    def collect(self) -> Iterator[Family]:
        with self._tally.lock:
            counted = [*_counted(self._tally)]
        yield from counted
        yield from _read(self._gauges)


def _counted(tally: Tally) -> Iterator[Family]:
    yield _counter(catalogue.REQUESTS, tally.calls.items())
    yield _histogram(catalogue.REQUEST_DURATION, tally.durations.items())
    yield _counter(catalogue.LOG_IN_FAILURES, (((wire,), count) for wire, count in tally.failed_log_ins.items()))
    yield _counter(catalogue.THROTTLED, (((limit,), count) for limit, count in tally.throttled.items()))
    yield _histogram(catalogue.COMMIT_DURATION, [((), tally.commits)])
    yield _histogram(catalogue.COMMIT_SIZE, [((), tally.commit_sizes)])
    yield _histogram(catalogue.QUEUE_WAIT, [((), tally.queue_waits)])
    yield _counter(catalogue.FAILED_TRANSACTIONS, [((), tally.failed_transactions)])
    yield _counter(catalogue.PUSHED, [((), tally.pushed_messages)])
    yield _histogram(catalogue.DELIVERY_DELAY, [((), tally.delivery_delays)])


def _read(gauges: Gauges) -> Iterator[Family]:
    yield _gauge(catalogue.QUEUE_DEPTH, [((), gauges.queue_depth())])
    yield _gauge(catalogue.STORE_SIZE, (((file,), size) for file, size in gauges.store_sizes().items()))
    yield _gauge(catalogue.STORE_FREE, [((), gauges.store_free())])
    yield _gauge(catalogue.STORE_AVAILABLE, [((), gauges.is_store_available())])
    yield _gauge(catalogue.UNACKNOWLEDGED, [((), gauges.unacknowledged())])
    yield _gauge(catalogue.LISTENERS, [((), gauges.listeners())])
    yield _gauge(catalogue.CONNECTIONS, (((wire,), count) for wire, count in gauges.connections().items()))
    yield _gauge(catalogue.CERTIFICATE_END, [((), gauges.certificate_end())])
    yield _gauge(catalogue.LAST_BACKUP, [((), gauges.last_backup())])
    yield _gauge(catalogue.BUILD_INFO, [((__version__, platform.python_version(), _version_of("grpcio")), 1)])


def _counter(metric: Metric, samples: Samples) -> Family:
    family = CounterMetricFamily(metric.name, metric.words, labels=metric.labels)
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, value)
    return family


def _gauge(metric: Metric, samples: Samples) -> Family:
    family = GaugeMetricFamily(metric.name, metric.words, labels=metric.labels)
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, samples: Iterable[tuple[tuple[str, ...], Histogram]]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.words, labels=metric.labels)
    for labels, histogram in samples:
        family.add_metric(labels, histogram.buckets(), histogram.sum)
    return family


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
