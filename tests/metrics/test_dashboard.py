"""The dashboard and the alerts use the metrics of the catalogue, all of them, with the labels that these have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatbooth_grpc.metrics.catalogue import CATALOGUE, COUNTER, HISTOGRAM
from tests.metrics.promql import Expression, read

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "chatbooth.json").read_text(encoding="utf-8"))
RULES = ROOT / "deploy" / "prometheus" / "chatbooth.rules.yml"
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
RUNBOOK = ROOT / "docs" / "operations.md"

ADDED_BY_PROMETHEUS = {"job", "instance"}
OF_THE_PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
}
OF_PROMETHEUS = {"up"}
LABELS_OF = {
    **{
        series: {*metric.labels, *(["le"] if series.endswith("_bucket") else [])}
        for metric in CATALOGUE
        for series in metric.series
    },
    **{series: set[str]() for series in OF_THE_PROCESS | OF_PROMETHEUS},
}


def panels() -> Iterator[dict[str, Any]]:
    """Return the panels that show something."""
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def shown() -> list[str]:
    """Return the dashboard's expressions."""
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def alerting() -> list[str]:
    """Return the expressions of the alerts."""
    return [alert["expr"] for alert in ALERTS]


EXPRESSIONS = [*shown(), *alerting()]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_names_series_and_labels_that_exist(text: str) -> None:
    expression = read(text)
    assert expression.series
    assert expression.series <= LABELS_OF.keys()
    for series, labels in expression.selected.items():
        assert labels <= LABELS_OF[series] | ADDED_BY_PROMETHEUS
    known = set[str]().union(*(LABELS_OF[series] for series in expression.series))
    assert expression.grouped <= known | ADDED_BY_PROMETHEUS


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_a_counter_is_used_as_a_rate_and_a_quantile_has_its_buckets(text: str) -> None:
    counters = {metric.name for metric in CATALOGUE if metric.kind == COUNTER} | {"process_cpu_seconds_total"}
    counters |= {series for metric in CATALOGUE if metric.kind == HISTOGRAM for series in metric.series}
    for series in read(text).series & counters:
        assert re.search(rf"\b(rate|increase)\({series}\b", text)
    for grouped in re.findall(r"histogram_quantile\([\d.]+, sum by \(([^)]*)\) \(rate\(\w+_bucket\b", text):
        assert "le" in grouped.split(", ")
    assert text.count("histogram_quantile") == len(re.findall(r"histogram_quantile\([\d.]+, sum by", text))


def test_the_dashboard_shows_every_metric() -> None:
    series = set[str]().union(*(read(text).series for text in shown()))
    assert [metric.name for metric in CATALOGUE if not series.intersection(metric.series)] == []


def test_the_dashboard_asks_the_data_source_and_the_servers_that_a_person_chooses() -> None:
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert variables.keys() == {"datasource", "job", "instance"}
    assert variables["datasource"]["type"] == "datasource"
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert variables["job"]["datasource"] == variables["instance"]["datasource"] == chosen
    for panel in panels():
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])
    for text in shown():
        for labels in read(text).selected.values():
            assert labels >= ADDED_BY_PROMETHEUS
        assert set(read(text).selected) == read(text).series


def test_the_dashboard_is_for_grafana_10_and_no_panel_covers_another() -> None:
    assert DASHBOARD["schemaVersion"] >= 38
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_is_wrong_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("warning", "critical")
    assert alert["annotations"]["summary"].endswith(".")
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert page == "docs/operations.md"
    headings = re.findall(r"^#+ (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert anchor in anchors


def test_an_alert_on_a_label_keeps_the_label() -> None:
    for alert in ALERTS:
        labels = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]))
        expression = read(alert["expr"])
        kept = expression.grouped or set[str]().union(*(LABELS_OF[series] for series in expression.series))
        assert labels <= kept | ({"instance"} if not expression.grouped else set())


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed")
def test_prometheus_takes_the_alerts_and_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    texts = [re.sub(r"\$__rate_interval", "5m", text).replace("$", "") for text in shown()]
    rules = [{"record": f"shown:{number}", "expr": text} for number, text in enumerate(texts)]
    written = tmp_path / "dashboard.yml"
    written.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "check", "rules", str(RULES), str(written)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in done.stdout
    assert f"SUCCESS: {len(rules)} rules found" in done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", Expression({"a"}, {}, set())),
        (
            'sum by (x, le) (rate(a_b{y=~"z}", w!="a{"}[5m])) / 1e3',
            Expression({"a_b"}, {"a_b": {"y", "w"}}, {"x", "le"}),
        ),
        ("time() - a > 2 * 86400 or absent(b)", Expression({"a", "b"}, {}, set())),
        ("a < ignoring (x) b offset 5m", Expression({"a", "b"}, {}, {"x"})),
    ],
)
def test_the_names_in_an_expression_are_read(text: str, expected: Expression) -> None:
    assert read(text) == expected
