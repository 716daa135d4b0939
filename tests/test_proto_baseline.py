"""The .proto stays compatible with the stored baseline, and the check finds a breaking change."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUF = Path(sys.executable).parent / "buf"
BASELINE = ROOT / "proto" / "baseline.binpb"
CONTRACT = Path("proto", "chatbooth", "v1", "chatbooth.proto")

pytestmark = pytest.mark.skipif(not BUF.exists(), reason="buf is installed with `scripts/setup.sh dev`")


def breaking_changes(tree: Path) -> str:
    """Return the lines in which buf names a change that breaks an older client. No change gives an empty string."""
    command = [str(BUF), "breaking", "--against", str(BASELINE)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=60, check=False)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    return done.stdout


def changed(tree: Path, old: str, new: str) -> Path:
    """Return a tree whose .proto has `new` where the project has `old`."""
    shutil.copytree(ROOT / "proto", tree / "proto")
    shutil.copy(ROOT / "buf.yaml", tree)
    source = (tree / CONTRACT).read_text(encoding="utf-8")
    assert source.count(old) == 1
    (tree / CONTRACT).write_text(source.replace(old, new), encoding="utf-8")
    return tree


def test_the_contract_breaks_no_client_of_the_baseline() -> None:
    assert breaking_changes(ROOT) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  bytes message_id = 2;", ""),
        ("  bytes message_id = 2;", "  bytes message_id = 9;"),
        ("  bytes message_id = 2;", "  string message_id = 2;"),
        ("  rpc Send(", "  rpc SendOne("),
    ],
    ids=["field removed", "field renumbered", "type changed", "method renamed"],
)
def test_a_breaking_change_is_found(old: str, new: str, tmp_path: Path) -> None:
    assert breaking_changes(changed(tmp_path, old, new))


def test_a_new_field_breaks_no_client(tmp_path: Path) -> None:
    assert (
        breaking_changes(changed(tmp_path, "  bytes message_id = 2;", "  bytes message_id = 2; bool new = 99;")) == ""
    )


def test_lint_checks_against_the_baseline() -> None:
    lint = (ROOT / "scripts" / "lint.sh").read_text(encoding="utf-8")
    assert f'buf" breaking --against {BASELINE.relative_to(ROOT)}' in lint
