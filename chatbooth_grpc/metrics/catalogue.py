"""Every metric of a server: its name, its kind, its labels, and words for a person."""

from __future__ import annotations

from typing import NamedTuple

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """A metric, as Prometheus describes it. The name of a counter ends in `_total`."""

    name: str
    kind: str
    words: str
    labels: tuple[str, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its time series."""
        if self.kind == HISTOGRAM:
            return tuple(self.name + ending for ending in ("_bucket", "_count", "_sum"))
        return (self.name,)


REQUESTS = Metric(
    "chatbooth_requests_total",
    COUNTER,
    "Requests that were answered. The code is OK or the reason of the error. Each message of a batch is a request.",
    ("wire", "action", "code"),
)
REQUEST_DURATION = Metric(
    "chatbooth_request_duration_seconds",
    HISTOGRAM,
    "Time from a request to its answer. For LISTEN, the time to open the stream.",
    ("wire", "action"),
)
LOG_IN_FAILURES = Metric(
    "chatbooth_log_in_failures_total", COUNTER, "Calls that were refused for a wrong name or password.", ("wire",)
)
THROTTLED = Metric(
    "chatbooth_throttled_total", COUNTER, "Requests and connections that a limit refused, by the limit.", ("limit",)
)
COMMIT_DURATION = Metric(
    "chatbooth_commit_duration_seconds", HISTOGRAM, "Time of a transaction of the store, with its fsync."
)
COMMIT_SIZE = Metric(
    "chatbooth_commit_messages", HISTOGRAM, "Messages in a transaction, of the transactions that had any."
)
QUEUE_WAIT = Metric(
    "chatbooth_queue_wait_seconds", HISTOGRAM, "The longest time that a message of a transaction had waited for it."
)
FAILED_TRANSACTIONS = Metric("chatbooth_failed_transactions_total", COUNTER, "Transactions of the store that failed.")
QUEUE_DEPTH = Metric("chatbooth_queue_depth", GAUGE, "Pieces of work that wait for the next transaction.")
STORE_SIZE = Metric(
    "chatbooth_store_size_bytes", GAUGE, "The size of the store's files: the store itself, and its log.", ("file",)
)
STORE_FREE = Metric("chatbooth_store_free_bytes", GAUGE, "The room left on the disk that has the store.")
STORE_AVAILABLE = Metric("chatbooth_store_available", GAUGE, "1 while the store can be written, 0 while it cannot.")
UNACKNOWLEDGED = Metric(
    "chatbooth_unacknowledged_messages", GAUGE, "Messages that their recipients have not acknowledged; once a minute."
)
LISTENERS = Metric("chatbooth_listeners", GAUGE, "Open live streams.")
CONNECTIONS = Metric(
    "chatbooth_connections",
    GAUGE,
    "Open connections. Those of gRPC are counted about four times a second.",
    ("wire",),
)
PUSHED = Metric("chatbooth_pushed_messages_total", COUNTER, "Messages that were written to live streams.")
DELIVERY_DELAY = Metric(
    "chatbooth_delivery_delay_seconds",
    HISTOGRAM,
    "Time from the commit of a message until it is written to a live stream that was open and had room.",
)
CERTIFICATE_END = Metric(
    "chatbooth_certificate_expiry_timestamp_seconds",
    GAUGE,
    "When the certificate expires. Absent without TLS.",
)
LAST_BACKUP = Metric(
    "chatbooth_last_backup_timestamp_seconds",
    GAUGE,
    "When the last backup by chatbooth-admin ended well. 0 if there was none.",
)
BUILD_INFO = Metric(
    "chatbooth_build_info", GAUGE, "Always 1. The labels are the versions that run.", ("version", "python", "grpcio")
)

CATALOGUE = (
    REQUESTS,
    REQUEST_DURATION,
    LOG_IN_FAILURES,
    THROTTLED,
    COMMIT_DURATION,
    COMMIT_SIZE,
    QUEUE_WAIT,
    FAILED_TRANSACTIONS,
    QUEUE_DEPTH,
    STORE_SIZE,
    STORE_FREE,
    STORE_AVAILABLE,
    UNACKNOWLEDGED,
    LISTENERS,
    CONNECTIONS,
    PUSHED,
    DELIVERY_DELAY,
    CERTIFICATE_END,
    LAST_BACKUP,
    BUILD_INFO,
)
