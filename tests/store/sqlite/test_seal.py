"""The seal: its values after each write, its faults, and a full disk."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatbooth_grpc.store.sqlite import seal as module
from chatbooth_grpc.store.sqlite.seal import FileState, Phase, Seal, SealBroken, Sealed

STARTING = Sealed(Phase.STARTING, b"b" * 16, b"a" * 16, 7)
RUNNING = Sealed(Phase.RUNNING, b"b" * 16, b"b" * 16, 7)
FILE = FileState(4, 5, 6)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The path of a store that does not exist."""
    return tmp_path / "chatbooth.db"


@pytest.fixture
def seal(store: Path) -> Iterator[Seal]:
    """The seal of the store."""
    seal = Seal(store)
    yield seal
    seal.close(None)


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the making of a file fail, as on a full disk."""
    make = os.open

    def refuse(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return make(path, flags, *rest, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        yield


def beside(store: Path) -> Path:
    return store.with_name(f"{store.name}.seal")


def test_a_seal_says_the_values_that_were_written(store: Path, seal: Seal) -> None:
    assert seal.put(STARTING)
    assert Seal(store).read() == STARTING
    assert seal.put(RUNNING)
    seal.note(2)
    seal.note(3)
    seal.catch_up()
    assert Seal(store).read() == RUNNING._replace(messages=12)
    seal.close(FILE)
    assert Seal(store).read() == RUNNING._replace(phase=Phase.CLOSED, messages=12, file=FILE)


def test_the_mark_follows_the_commits_when_they_rest(store: Path, seal: Seal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seal is not written for each commit, because each Send would wait for it."""
    monkeypatch.setattr(module, "_MARK_INTERVAL", 3_600)
    seal.put(RUNNING)
    seal.note(2)
    seal.note(3)
    assert Seal(store).read().messages < 12
    seal.catch_up()
    assert Seal(store).read().messages == 12


def test_an_end_that_is_not_known_leaves_it_as_it_is(store: Path, seal: Seal) -> None:
    seal.put(RUNNING)
    seal.close(None)
    seal.close(FILE)
    assert Seal(store).read() == RUNNING


def test_nobody_else_may_read_it(store: Path, seal: Seal) -> None:
    seal.put(RUNNING)
    assert beside(store).stat().st_mode & 0o077 == 0
    assert [path.name for path in store.parent.iterdir()] == [beside(store).name]


def _copy(path: Path) -> None:
    shutil.copy2(path, copy := path.with_name("copy"))
    copy.replace(path)


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILS: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (lambda path: path.unlink(), "no seal"),
    "empty": (lambda path: path.write_bytes(b""), "damaged"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged"),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b" "), "damaged"),
    "of another version": (lambda path: path.write_bytes(b"chatbooth seal 2" + path.read_bytes()[16:]), "damaged"),
    "with another id": (lambda path: path.write_bytes(path.read_bytes().replace(b"bb", b"cc")), "damaged"),
    "a copy": (_copy, "a copy"),
    "a folder": (_make_folder, "cannot be read"),
}


@pytest.mark.parametrize("way", SPOILS)
def test_a_spoiled_seal_is_not_trusted_and_is_written_again_while_the_server_runs(
    store: Path, seal: Seal, way: str
) -> None:
    spoil, words = SPOILS[way]
    seal.put(RUNNING)
    spoil(beside(store))
    with pytest.raises(SealBroken, match=words):
        Seal(store).read()
    if way != "a folder":
        seal.tend()
        assert Seal(store).read() == RUNNING


@pytest.mark.parametrize(("age", "is_trusted"), [(1, True), (10, False)])
def test_a_seal_whose_mark_is_older_than_its_change_time_was_put_back(
    store: Path, seal: Seal, monkeypatch: pytest.MonkeyPatch, age: int, *, is_trusted: bool
) -> None:
    now = time.time_ns
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: now() - age * 1_000_000_000)
        seal.put(RUNNING)
    if is_trusted:
        assert Seal(store).read() == RUNNING
    else:
        with pytest.raises(SealBroken, match="put back or changed"):
            Seal(store).read()
        seal.tend()
        assert Seal(store).read() == RUNNING


def test_a_whole_seal_is_left_alone(store: Path, seal: Seal) -> None:
    seal.put(RUNNING)
    inode = beside(store).stat().st_ino
    seal.note(1)
    seal.tend()
    assert beside(store).stat().st_ino == inode


@pytest.mark.parametrize("before", [None, STARTING])
def test_values_that_could_not_be_written_are_written_once_there_is_room(
    store: Path, seal: Seal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, before: Sealed | None
) -> None:
    if before:
        seal.put(before)
    with full_disk(monkeypatch):
        assert not seal.put(RUNNING)
        seal.note(1)
        seal.tend()
        if before:
            assert Seal(store).read() in (before, before._replace(messages=8))
    seal.tend()
    assert Seal(store).read() == RUNNING._replace(messages=8)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_nothing_is_tended_before_the_start_and_after_the_end(store: Path, seal: Seal) -> None:
    seal.tend()
    assert not beside(store).exists()
    seal.put(RUNNING)
    seal.close(FILE)
    beside(store).unlink()
    seal.tend()
    assert not beside(store).exists()
