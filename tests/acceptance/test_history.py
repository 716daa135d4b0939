"""Short runs of the history checker, on chatbooth and on copies with bugs put in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "chatbooth_grpc"
VERDICTS = ("lost", "duplicated", "reordered", "skipped", "phantom")

NO_DEDUP = (
    "store/sqlite/appending.py",
    "ids.append((mailbox_id, sender.account_id, message_id, digest, now))",
    'ids.append((mailbox_id, sender.account_id, __import__("os").urandom(16), digest, now))',
)
RELEASE_EARLY = """\
            for job in jobs:
                if isinstance(job, Job) and job.done is not None:
                    job.done.release()
            self._call_back_all([job for job in jobs if isinstance(job, AppendJob)])
            time.sleep(0.2)
            has_written = engine.commit()"""
ACKNOWLEDGED_TOO_SOON = (
    "store/group_commit.py",
    "            has_written = engine.commit()",
    RELEASE_EARLY,
    "store/group_commit.py",
    "                    job.done.release()\n        if len(to_settle) > _FEW",
    "                    pass\n        if len(to_settle) > _FEW",
)


def run(fault: str, rounds: int, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the checker as a process of its own."""
    command = [sys.executable, "-m", "bench.history", "--json", "--fault", fault, "--rounds", str(rounds)]
    command += ["--senders", "4", "--receivers", "3", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def history(fault: str, rounds: int, *flags: str) -> dict[str, Any]:
    """Run the checker, and return its record."""
    done = run(fault, rounds, *flags)
    assert done.stdout, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if any(record[name] for name in VERDICTS) else 0)
    return record


def broken(tmp_path: Path, sabotage: tuple[str, ...]) -> Path:
    """Return a folder with a copy of the package in which texts were replaced: file, old, new, and so on."""
    source = tmp_path / "broken"
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in zip(sabotage[::3], sabotage[1::3], sabotage[2::3], strict=True):
        file = source / PACKAGE.name / name
        text = file.read_text()
        assert text.count(old) == 1, f"{name} no longer reads as the sabotage expects"
        file.write_text(text.replace(old, new))
    return source


@pytest.mark.parametrize(
    ("fault", "rounds", "flags"),
    [
        ("kill", 4, []),
        ("mixed", 8, []),
        ("mixed", 8, ["--wire"]),
        ("restore", 4, []),
        ("restore", 4, ["--wire"]),
    ],
    ids=["kill", "mixed", "mixed on the wire", "restore", "restore on the wire"],
)
def test_no_promise_is_broken(fault: str, rounds: int, flags: list[str]) -> None:
    record = history(fault, rounds, "--seed", "11", *flags)
    assert {name: record[name] for name in VERDICTS} == dict.fromkeys(VERDICTS, 0)
    assert sum(record["faults"].values()) == rounds
    assert record["unknown"] == 0
    assert record["acknowledged"] > 0
    if "restore" not in record["faults"]:
        assert record["acknowledged"] == record["shown"]


def test_a_restore_that_keeps_the_epoch_is_caught() -> None:
    assert history("restore", 2, "--seed", "3", "--keep-epoch")["skipped"] > 0


def test_a_server_without_dedup_is_caught(tmp_path: Path) -> None:
    source = broken(tmp_path, NO_DEDUP)
    assert history("reset", 40, "--seed", "3", "--server-path", str(source))["duplicated"] > 0


def test_a_server_that_acknowledges_before_the_commit_is_caught(tmp_path: Path) -> None:
    source = broken(tmp_path, ACKNOWLEDGED_TOO_SOON)
    done = run("kill", 4, "--seed", "3", "--server-path", str(source))
    assert done.returncode == 1
    # The kill may take a session whose sign-up was acknowledged. Then nobody can continue.
    assert "SessionInvalid" in done.stderr or json.loads(done.stdout)["lost"] > 0
