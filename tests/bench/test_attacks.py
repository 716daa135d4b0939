"""The figures of attacks: when an honest client was served well, and when not."""

from __future__ import annotations

import dataclasses
import re

import pytest

from bench.attacks.__main__ import main
from bench.attacks.catalogue import ATTACKS
from bench.attacks.figures import HEADER, AttackFigures, WireFigures, as_json, latency, rows
from bench.attacks.honest import Seen
from tests.acceptance.documents import ROOT

QUIET = Seen(sends=[0.001] * 100, arrivals=[0.002] * 100, visits=[0.03])


def figures(exit_code: int = 0, **changes: object) -> AttackFigures:
    """Return the figures of an attack during which a client saw the same as before, but for some changes."""
    meanwhile = dataclasses.replace(QUIET, **changes)  # type: ignore[arg-type]
    return AttackFigures("pings", {"grpc": WireFigures(QUIET, meanwhile)}, (100.0, 120.0), (60, 70), 0.5, exit_code)


def test_the_percentiles_of_times() -> None:
    found = latency([number / 1_000 for number in range(1, 101)])
    assert (found.p50, found.p99) == (51.0, 100.0)
    assert str(latency([])) == "inf / inf"


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "OK"),
        ({"sends": [0.005] * 100}, "OK"),
        ({"sends": [0.0051] * 100}, "MISSED"),
        ({"arrivals": [0.0101] * 100}, "MISSED"),
        ({"errors": ["Send: busy"]}, "MISSED"),
        ({"missing": 1}, "MISSED"),
        ({"sends": [], "arrivals": []}, "MISSED"),
        ({"exit_code": 1}, "MISSED"),
    ],
)
def test_a_client_is_served_well_or_not(changes: dict[str, object], verdict: str) -> None:
    found = figures(**changes)  # type: ignore[arg-type]
    [row] = rows(found)
    assert len(row) == len(HEADER)
    assert row[-1] == verdict
    assert found.is_good == as_json(found)["is_good"] == (verdict == "OK")


def test_a_run_prints_a_row_for_each_wire(capsys: pytest.CaptureFixture[str]) -> None:
    main(["half-frames", "--seconds", "0.3", "--quiet", "0.3"])
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:2] for line in printed[4:]] == [["| half-frames", "grpc"], ["| half-frames", "wire"]]


def test_the_document_explains_each_attack() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([a-z-]+)` \|", text.partition("## Attacks")[2].partition("\n## ")[0], re.MULTILINE)
    assert explained == list(ATTACKS)
