"""One server for a store: a second one is refused by any name of the file."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chatbooth_grpc.store.sqlite.opening import StoreOpenError
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import SQLiteHome, names_of, send_texts, sign_up, texts
from tests.store.refused import refusal_to_open

ROOT = Path(__file__).parents[3]

OPEN = """
import sys
from chatbooth_grpc.store.sqlite.opening import StoreOpenError
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
try:
    store = SQLiteStore(sys.argv[1])
except StoreOpenError as error:
    sys.exit(str(error))
print("opened", flush=True)
sys.stdin.read()
store.close()
"""

# SQLite's SHARED lock, which every open connection has in WAL mode: these bytes, by the file format's description.
SEIZE = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
"""


def run_python(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, input="", check=False, timeout=60)


def hard_link(path: Path) -> Path:
    (link := path.with_name("hard-link.db")).hardlink_to(path)
    return link


def symbolic_link(path: Path) -> Path:
    (link := path.with_name("link.db")).symlink_to(path)
    return link


def path_through_a_linked_folder(path: Path) -> Path:
    (link := path.parent.with_name("linked-folder")).symlink_to(path.parent)
    return link / path.name


def path_after_all_beside_the_store_is_removed(path: Path) -> Path:
    for beside in path.parent.iterdir():
        if beside != path and not beside.name.endswith(("-wal", "-shm")):
            beside.unlink()
    return path


OTHER_NAMES = [lambda path: path, hard_link, symbolic_link, path_through_a_linked_folder]
every_name = pytest.mark.parametrize("name", [*OTHER_NAMES, path_after_all_beside_the_store_is_removed])


@every_name
def test_a_second_process_is_refused_by_any_name_of_the_file(home: SQLiteHome, name: Callable[[Path], Path]) -> None:
    with home.open() as store:
        sign_up(store, "ann")
        second = run_python(OPEN, name(home.path))
        assert second.returncode == 1
        assert "in use" in second.stderr
        assert len(second.stderr.splitlines()) == 1
        sign_up(store, "bob")
    second = run_python(OPEN, home.path)
    assert (second.returncode, "in use" in second.stderr) == (0, False)


@every_name
def test_a_second_opening_in_one_process_is_refused_too(home: SQLiteHome, name: Callable[[Path], Path]) -> None:
    with home.open() as store:
        with pytest.raises(StoreOpenError, match="in use"):
            SQLiteStore(name(home.path))
        sign_up(store, "ann")


@every_name
def test_a_refused_opening_does_not_loosen_the_first_ones_hold(home: SQLiteHome, name: Callable[[Path], Path]) -> None:
    with home.open() as store:
        sign_up(store, "ann")
        assert "BlockingIOError" in run_python(SEIZE, home.path).stderr
        with pytest.raises(StoreOpenError):
            SQLiteStore(name(home.path))
        assert "BlockingIOError" in run_python(SEIZE, home.path).stderr
        assert "in use" in run_python(OPEN, home.path).stderr


def test_a_relative_path_names_the_same_store(home: SQLiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.path.parent)
    with home.open(), pytest.raises(StoreOpenError, match="in use"):
        SQLiteStore(home.path.name)


def test_of_several_that_start_at_once_one_serves(home: SQLiteHome) -> None:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", OPEN, str(home.path)]
    started = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    said = []
    for process in started:
        assert process.stdout is not None
        said.append(process.stdout.readline())
    ended = [process.communicate(timeout=60)[1] for process in started]
    assert sorted(said) == ["", "", "", "opened\n"]
    assert sorted("in use" in words for words in ended) == [False, True, True, True]


def test_an_earlier_chatbooths_lock_is_respected_and_its_file_removed_later(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "hello")
    beside = home.path.with_name(f"{home.path.name}.lock")
    earlier = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(earlier, fcntl.LOCK_EX)
    assert "in use" in refusal_to_open(home.path)
    assert beside.exists()
    os.close(earlier)
    with home.open() as store:
        assert texts(store, ann) == ["hello"]
    assert not beside.exists()


def test_a_lock_outlives_every_reader_and_no_longer(home: SQLiteHome) -> None:
    store = home.open()
    sign_up(store, "ann")
    assert names_of(store) == ["ann"]
    store.close()
    with home.open() as store:
        assert names_of(store) == ["ann"]
        assert "in use" in run_python(OPEN, home.path).stderr
