"""The standard streams of each program, closed, full or broken before it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLOSED = {0: "<&-", 1: ">&-", 2: "2>&-"}

DESCRIBE = """
import os, sys
from chatbooth_grpc.streams import open_closed_streams, settle_streams
open_closed_streams()
another = os.open("/", os.O_RDONLY)
lines = [f"{n} {os.readlink(f'/proc/self/fd/{n}')}" for n in range(3)]
lines += [f"another {another > 2}", f"in {sys.stdin.read() if 0 in CLOSED else ''!r}"]
print("words", file=sys.stderr, flush=True)
print("data")
lines += [f"failure {getattr(settle_streams(), 'errno', None)}"]
open(sys.argv[1], "w").write("\\n".join(lines))
"""


@pytest.mark.parametrize("closed", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_closed_streams_are_the_null_device(tmp_path: Path, closed: tuple[int, ...]) -> None:
    redirections = " ".join(CLOSED[number] for number in closed)
    program = DESCRIBE.replace("CLOSED", repr(closed))
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c", program, str(tmp_path / "seen")],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        cwd=ROOT,
    )
    seen = (tmp_path / "seen").read_text().splitlines()
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "" if 1 in closed else "data\n",
        "" if 2 in closed else "words\n",
    )
    assert {f"{number} /dev/null" for number in closed} <= set(seen)
    assert "another True" in seen
    assert f"failure {9 if 1 in closed else None}" in seen


ENTRIES = {
    "client": ["-m", "chatbooth_grpc.client"],
    "server": ["-m", "chatbooth_grpc.server"],
    "main": ["main.py"],
}


@pytest.fixture(autouse=True)
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the programs buffer their output, as they do for a person."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(("redirection", "words"), [(">&-", "closed"), (">/dev/full", "No space left")])
def test_help_that_cannot_be_printed_is_a_failure(entry: str, redirection: str, words: str) -> None:
    command = [sys.executable, *ENTRIES[entry], "--help"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if entry == "client":
        assert words in done.stderr


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_an_error_of_usage_that_cannot_be_printed_keeps_its_exit_code(entry: str, redirection: str) -> None:
    command = [sys.executable, *ENTRIES[entry], "--no-such-flag"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize(
    ("words", "code"), [(["--host", "127.0.0.1:1", "--port", "2", "whoami"], 3), (["--host", "a b", "whoami"], 2)]
)
def test_words_of_main_that_cannot_be_printed_change_no_outcome(tmp_path: Path, words: list[str], code: int) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", sys.executable, "main.py", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (code, "")
