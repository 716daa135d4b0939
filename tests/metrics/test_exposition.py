"""The page for Prometheus: it has every metric of the catalogue, and none beside it but the process's."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.errors import TooBusy, WrongCredentials
from chatbooth_grpc.metrics.catalogue import CATALOGUE, COUNTER, GAUGE
from chatbooth_grpc.metrics.exposition import registry_of
from chatbooth_grpc.metrics.gauges import Gauges
from chatbooth_grpc.metrics.tally import Tally

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def gauges_of(folder: Path) -> Gauges:
    """Return gauges with known values."""
    store = folder / "s.db"
    store.write_bytes(b"x" * 100)
    return Gauges(
        queue_depth=lambda: 3,
        listeners=lambda: 4,
        connections=lambda: {"grpc": 5, "wire": 6},
        store=store,
        is_store_available=lambda: False,
        unacknowledged=lambda: 7,
        certificate_end=lambda: 8.0,
        last_backup=lambda: 9.0,
    )


def tally_with_calls() -> Tally:
    """Return a tally that has counted something under each label."""
    tally = Tally()
    for error in (None, WrongCredentials(), TooBusy("log-ins at once")):
        tally.call_ended(Call("LOG_IN", str, "grpc"), error)
    return tally


def values_of(tally: Tally, gauges: Gauges) -> Values:
    page = generate_latest(registry_of(tally, gauges)).decode()
    families = text_string_to_metric_families(page)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_page_has_the_metrics_of_the_catalogue_and_those_of_the_process(tmp_path: Path) -> None:
    shown = {name for name, _ in values_of(tally_with_calls(), gauges_of(tmp_path))}
    ours = {name for name in shown if not name.startswith(("process_", "python_"))}
    expected = {name for metric in CATALOGUE for name in metric.series}
    assert ours == expected
    assert "process_resident_memory_bytes" in shown


def test_each_metric_has_the_labels_of_the_catalogue(tmp_path: Path) -> None:
    labels = {name: {label for label, _ in pairs} for name, pairs in values_of(tally_with_calls(), gauges_of(tmp_path))}
    for metric in CATALOGUE:
        for series in metric.series:
            assert labels[series] - {"le"} == set(metric.labels), series


def test_the_values_are_those_of_the_tally_and_of_the_gauges(tmp_path: Path) -> None:
    values = values_of(tally_with_calls(), gauges_of(tmp_path))
    request = ("chatbooth_requests_total", (("action", "LOG_IN"), ("code", "TOO_BUSY"), ("wire", "grpc")))
    assert values[request] == 1
    assert values["chatbooth_request_duration_seconds_count", (("action", "LOG_IN"), ("wire", "grpc"))] == 3
    assert values["chatbooth_log_in_failures_total", (("wire", "grpc"),)] == 1
    assert values["chatbooth_throttled_total", (("limit", "log-ins at once"),)] == 1
    assert values["chatbooth_queue_depth", ()] == 3
    assert values["chatbooth_listeners", ()] == 4
    assert values["chatbooth_connections", (("wire", "wire"),)] == 6
    assert values["chatbooth_store_size_bytes", (("file", "store"),)] == 100
    assert values["chatbooth_store_size_bytes", (("file", "log"),)] == 0
    assert values["chatbooth_store_free_bytes", ()] > 0
    assert values["chatbooth_store_available", ()] == 0
    assert values["chatbooth_unacknowledged_messages", ()] == 7
    assert values["chatbooth_certificate_expiry_timestamp_seconds", ()] == 8
    assert values["chatbooth_last_backup_timestamp_seconds", ()] == 9


def test_a_figure_that_is_not_known_is_left_out(tmp_path: Path) -> None:
    gauges = gauges_of(tmp_path)
    gauges.certificate_end = gauges.unacknowledged = lambda: None
    gauges.store = tmp_path / "gone" / "s.db"
    names = {name for name, _ in values_of(Tally(), gauges)}
    assert not names & {
        "chatbooth_certificate_expiry_timestamp_seconds",
        "chatbooth_unacknowledged_messages",
        "chatbooth_store_free_bytes",
    }
    assert "chatbooth_queue_depth" in names


def test_the_names_follow_the_conventions_of_prometheus() -> None:
    for metric in CATALOGUE:
        assert metric.name.startswith("chatbooth_")
        assert metric.name.endswith("_total") is (metric.kind == COUNTER)
        # A duration, a size and a moment have their unit at the end of the name.
        if "duration" in metric.name or "delay" in metric.name or "wait" in metric.name:
            assert metric.name.endswith("_seconds")
        if metric.kind == GAUGE and ("size" in metric.name or "free" in metric.name):
            assert metric.name.endswith("_bytes")
