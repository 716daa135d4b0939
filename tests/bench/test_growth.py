"""Growth: each axis runs, and writes its table and its plot. No test checks the figures."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.growth.__main__ import NAMES
from bench.growth.figures import Axis, Figure
from bench.growth.idle_streams import IdleStreams
from bench.growth.loads import LOADS
from bench.growth.memory import Passing, Sample
from bench.growth.plots import draw_axis, draw_passing
from bench.growth.report import axis_text, passing_text
from bench.growth.sizes import QUICK, ascending
from bench.growth.stores import (
    Store,
    add_messages,
    add_sessions,
    count_messages,
    file_parts,
    make_growing_stores,
    make_store,
)
from bench.pages import marks
from bench.server_process import ServerProcess
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n"
AXES = {"messages": QUICK.messages, "accounts": QUICK.accounts, "listeners": QUICK.listeners}
AXIS = Axis(
    "messages",
    "messages stored",
    [
        Figure("rate", "/s", {0: [10, 20, 90], 5_000: [7, 7, 7], 9_000: [5, 40, 90]}),
        Figure("file", " MiB", {0: [1], 5_000: [2], 9_000: [3]}, is_compared=False),
        Figure("bytes", "", {5_000: [200], 9_000: [100]}),
    ],
    ["A note."],
)
PASSING = Passing([Sample(0, 40, 50), *(Sample(10 * step, 70 + step, 80 + 5 * (step == 7)) for step in range(1, 41))])


def page_with_marks(folder: Path) -> Path:
    page = folder / "performance.md"
    page.write_text("\n".join(["before", *("\n".join(marks(f"growth-{name}")) for name in NAMES), "after\n"]))
    return page


def figures_of(name: str, page: Path) -> str:
    begin, end = marks(f"growth-{name}")
    return page.read_text().partition(begin)[2].partition(end)[0].strip()


def test_a_ratio_is_the_median_of_the_ratios_of_each_turn() -> None:
    rate, file, _ = AXIS.figures
    # The ratios are 0.5, 2 and 1. The ratio of the medians, 20 and 40, would be 2.
    assert rate.ratio == 1
    assert file.ratio is None


def test_a_table_has_a_column_for_each_size_and_compares_the_last_to_the_first() -> None:
    text = axis_text(AXIS)
    assert "| messages stored | 0 | 5,000 | 9,000 | last to first | spread |" in text
    assert "| rate | 20.0/s | 7.00/s | 40.0/s | 1.00 | 0.50 to 2.00 |" in text
    assert "| file | 1.00 MiB | 2.00 MiB | 3.00 MiB |  |  |" in text
    assert "| bytes |  | 200 | 100 | 0.50 |  |" in text
    assert text.endswith("\n\nA note.\n")


def test_memory_is_compared_from_the_first_mailbox_on() -> None:
    assert PASSING.ratio == 110 / 71
    assert PASSING.distance == pytest.approx(110 / 90.5 - 1)
    text = passing_text(PASSING)
    assert "| 0 | 40.0 MiB | 50.0 MiB |  |" in text
    assert "| 10 | 71.0 MiB | 80.0 MiB | 1.00 |" in text
    assert "| 400 | 110.0 MiB | 80.0 MiB | 1.55 |" in text
    assert "is 21.5% away" in text


def test_memory_rows_are_few_and_hide_no_peak() -> None:
    rows = PASSING.rows()
    assert [rows[0].messages, rows[1].messages, rows[-1].messages] == [0, 10, 400]
    assert len(rows) == 12
    assert max(row.peak for row in rows) == 85


def test_plots_are_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_axis(AXIS, tmp_path / "axis.png")
    draw_passing(PASSING, tmp_path / "passing.png")
    for name in ("axis.png", "passing.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)


@pytest.mark.parametrize("text", ["1000", "5,5", "9,3", "-1,5", "a,b", ""])
def test_sizes_ascend(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="smallest first"):
        ascending(text)
    assert ascending("0,1000,2000") == (0, 1_000, 2_000)


def test_stores_hold_as_many_messages_as_they_say(tmp_path: Path) -> None:
    stores = make_growing_stores(tmp_path, 300, (0, 1_000, 2_500))
    assert [count_messages(store.path) for store in stores.values()] == [0, 1_000, 2_500]
    rows, pages = file_parts(stores[2_500].path)["messages"]
    assert 2_500 * 60 < rows < pages < stores[2_500].path.stat().st_size
    with SQLiteStore(stores[1_000].path) as store:
        assert store.usernames("user0", "", 1_000).count(b"\n") + 1 == 300


@pytest.mark.parametrize("accounts", [100, 1_000, 1_550])
def test_the_late_prefix_is_that_of_a_hundred_names(accounts: int, tmp_path: Path) -> None:
    made = make_store(tmp_path / "store.db", accounts)
    with SQLiteStore(made.path) as store:
        assert store.usernames(made.late_prefix, "", 1_000).count(b"\n") + 1 == 100
        assert store.usernames("user", made.late_prefix + "99", 1_000).count(b"\n") <= 50


def test_filling_a_store_fails_if_the_store_refuses_messages(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store.db", 0)
    with pytest.raises(RuntimeError, match="refused"):
        add_messages(store, 0, 10)


def test_streams_that_cannot_be_opened_fail_the_measurement(tmp_path: Path) -> None:
    base = make_store(tmp_path / "store.db", 0)
    tokens = add_sessions(base.path, 4)
    with (
        ServerProcess("--max-listeners", "3", store=base.path) as server,
        IdleStreams(server.grpc, tokens[:3]),
        pytest.raises(RuntimeError, match="could not be opened"),
    ):
        IdleStreams(server.grpc, tokens[3:])


def disturb_idle_streams(base: Store) -> None:
    tokens = add_sessions(base.path, 2)
    with ServerProcess(store=base.path) as server, IdleStreams(server.grpc, tokens) as streams:
        with ChatClient.connect(server.grpc, session=base.caller) as client:
            client.send("listener0000001", "no longer idle")
        streams.wait(30)


def test_streams_that_were_not_idle_fail_the_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not stay open and idle"):
        disturb_idle_streams(make_store(tmp_path / "store.db", 0))


def test_unknown_axes_are_refused() -> None:
    command = [sys.executable, "-m", "bench.growth", "mesages"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such axis: mesages" in done.stderr


def test_the_page_in_docs_has_its_marks() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    for name in NAMES:
        begin, end = marks(f"growth-{name}")
        assert text.index(begin) < text.index(end)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_quick_run_writes_its_table_and_its_plot(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page, written = page_with_marks(tmp_path), tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench.growth", name, "--quick", "--write", "--docs", str(tmp_path)]
    command += ["--folder", str(tmp_path), "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert figures_of(name, page) in done.stdout
    assert not any(figures_of(other, page) for other in NAMES if other != name)
    assert [plot.name for plot in tmp_path.glob("*.png")] == [f"growth-{name}.png"]
    assert (tmp_path / f"growth-{name}.png").read_bytes().startswith(PNG)
    record = json.loads(written.read_text())[name]
    if name == "memory":
        assert [sample["messages"] for sample in record["samples"]] == [0, QUICK.passing_each, QUICK.passing]
        assert all(0 < sample["memory"] <= sample["peak"] for sample in record["samples"])
    else:
        check_axis(name, record["figures"], figures_of(name, page))


def check_axis(name: str, figures: list[dict[str, Any]], text: str) -> None:
    """Check that every load has a figure above zero for each size and repeat, and a line in the table."""
    repeats = {figure["name"]: figure["repeats"] for figure in figures}
    expected = [figure for load in LOADS for figure, _ in load.figures]
    if name != "listeners":
        expected.insert(0, "start to the first answered call")
    for figure in expected:
        assert [size for size, taken in repeats[figure].items() if len(taken) == 2 and min(taken) > 0] == [
            str(size) for size in AXES[name]
        ]
        assert f"| {figure} |" in text
    for size, (stored,) in repeats["messages in the end"].items():
        assert stored > int(size) * (name == "messages")
