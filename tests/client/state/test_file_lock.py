"""A lock between processes: one holds it, and the others learn which process that is."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chatbooth_grpc.client.state.file_lock import file_lock
from tests.seconds import Seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.lock"


def test_only_one_holds_it_at_a_time(path: Path) -> None:
    with file_lock(path) as is_ours, file_lock(path) as is_theirs:
        assert (is_ours, is_theirs) == (True, False)
    with file_lock(path) as is_ours:
        assert is_ours
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_waiting_for_it_has_a_time_limit(path: Path) -> None:
    clock = Seconds()

    def passing() -> float:
        clock.now += 0.5
        return clock.now

    with file_lock(path), file_lock(path, 2.0, clock=passing) as is_ours:
        assert not is_ours
    assert clock.now >= 1_002.0


def test_a_waiting_caller_learns_once_which_process_holds_it(path: Path) -> None:
    heard: list[str] = []
    with file_lock(path, holder="listen, process 7"), file_lock(path, 0.2, on_wait=heard.append):
        pass
    assert heard == ["listen, process 7"]
    with file_lock(path, on_wait=heard.append) as is_ours:
        assert is_ours
    assert len(heard) == 1


def test_a_waiting_caller_may_give_up_at_once(path: Path) -> None:
    def give_up(holder: str) -> None:
        raise LookupError(holder)

    with file_lock(path, holder="me"), pytest.raises(LookupError, match="me"), file_lock(path, 60.0, on_wait=give_up):
        raise AssertionError("it was not free")


def test_a_killed_process_no_longer_holds_it(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from chatbooth_grpc.client.state.file_lock import file_lock\n"
        "with file_lock(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    with file_lock(path) as is_ours:
        assert is_ours
