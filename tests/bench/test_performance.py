"""The performance harness: every measurement fills its rows. No test checks the figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.performance.__main__ import MEASUREMENTS
from bench.performance.floor_server import ECHO
from bench.performance.outcome import Duration, Outcome
from bench.performance.plan import FLOOR_SERVER, Plan
from bench.performance.processes import PlainServer
from bench.performance.report import BEGIN, END, heading, write_page
from bench.performance.rows import Row, at_least, at_most, rate_row, table
from bench.performance.stream_load import stream_load

ROOT = Path(__file__).parents[2]


def row(figures: list[float], floors: list[float] | None = None) -> Row:
    return Row("what", "how", "/s", figures, "floor", floors, at_least(2))


def test_a_ratio_is_the_median_of_the_ratios_of_each_turn() -> None:
    assert row([10, 20, 90], [5, 20, 10]).ratio == 2


@pytest.mark.parametrize(("figures", "reached"), [([30.0], True), ([20.0], True), ([19.0], False)])
def test_a_target_is_compared_with_the_ratio(figures: list[float], reached: bool) -> None:
    assert row(figures, [10]).is_reached is reached


def test_a_target_without_a_floor_is_compared_with_the_figure() -> None:
    assert row([3]).is_reached
    assert at_most(2).is_met_by(2)
    assert not at_most(2).is_met_by(2.1)


def test_the_table_has_a_line_for_each_row() -> None:
    outcome = Outcome(count=100, seconds=2, server_cpu=1, generator_cpu=0.5)
    text = table([row([30], [10]), rate_row("what", "else", [outcome])])
    assert "| what: how | 30.0/s | floor: 10.0/s | 3.00 | 3.00 to 3.00 | \u2265 2 | yes |  |  |" in text
    assert "| what: else | 50.0/s |  |  | 50.0 to 50.0 |  |  | 0.50 | 0.25 |" in text


def test_the_page_keeps_its_prose(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page, heading(Plan(), 0.5), [row([30], [10])])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "Others kept 0.5 cores busy" in text
    assert "what: how" in text


def test_the_page_in_docs_has_its_marks() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    assert text.index(BEGIN) < text.index(END)


def test_all_messages_of_a_stream_of_batches_are_counted() -> None:
    with PlainServer(FLOOR_SERVER) as server:
        outcome = stream_load(
            server.address,
            server.pid,
            Duration(warm_up=0, counted=0.1),
            token=bytes(16),
            recipient="sink",
            # An echo has as many entries as a reply would have.
            method=ECHO,
        )
    assert 0 < outcome.count <= outcome.sent
    assert outcome.sent % 64 == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_quick_run_fills_every_row(name: str, tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench.performance", name, "--quick"]
    command += ["--folder", str(tmp_path), "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    records = json.loads(written.read_text())
    assert records
    for record in records:
        assert record["measurement"] == name
        assert len(record["figures"]) == 1
        assert record["figure"] > 0
        assert f"{name}: {record['name']} |" in done.stdout
