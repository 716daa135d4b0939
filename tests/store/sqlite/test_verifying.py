"""A backup is verified without changing anything, and what is wrong with it is said."""

from __future__ import annotations

import os
from pathlib import Path

import apsw
import pytest

from chatbooth_grpc.booth.admin_store import Finding, MaintenanceFailed, Progress, Verified
from chatbooth_grpc.store.sqlite.sql import load_migrations
from chatbooth_grpc.store.sqlite.verifying import verify
from tests.contract.stores import SQLiteHome, send_texts, sign_up
from tests.store.beside import sqlite
from tests.store.earlier import make_earlier_store

NEWEST = load_migrations()[-1][0]


@pytest.fixture
def file(home: SQLiteHome) -> Path:
    """A closed store with one message."""
    with home.open() as store:
        send_texts(store, sign_up(store, "ann"), "ann", "hello")
    return home.path


def results(file: Path) -> list[Finding | Verified]:
    """Return the findings, without the progress."""
    return [item for item in verify(file) if not isinstance(item, Progress)]


def test_a_whole_file_is_verified_and_left_alone(file: Path) -> None:
    content, names = file.read_bytes(), {path.name for path in file.parent.iterdir()}
    assert results(file) == [Verified(NEWEST, 1, True)]
    assert file.read_bytes() == content
    assert {path.name for path in file.parent.iterdir()} == names


def test_a_broken_invariant_is_found(home: SQLiteHome, file: Path) -> None:
    with sqlite(home) as connection:
        connection.execute("DELETE FROM messages")
    kinds = [item.check for item in results(file) if isinstance(item, Finding)]
    assert kinds == ["sequences"]


def test_damage_is_found(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[2 * 4096 + 8 : 5 * 4096] = bytes(3 * 4096 - 8)
    file.write_bytes(content)
    assert any(isinstance(item, Finding) and item.check == "file" for item in results(file))


def test_of_an_earlier_schema_the_file_alone_is_checked(home: SQLiteHome) -> None:
    make_earlier_store(home, 2, "ann")
    assert results(home.path) == [Verified(2, 0, False)]


def test_what_cannot_be_verified_is_named(file: Path, tmp_path: Path) -> None:
    def refusal(path: Path) -> str:
        with pytest.raises(MaintenanceFailed) as refused:
            results(path)
        assert str(path) in str(refused.value)
        return str(refused.value)

    assert "no such file" in refusal(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path)
    (tmp_path / "text").write_bytes(b"Dear diary" * 1_000)
    assert "not a chatbooth store" in refusal(tmp_path / "text")
    foreign = apsw.Connection(str(tmp_path / "foreign"))
    foreign.execute("CREATE TABLE recipes (name)")
    foreign.close()
    assert "not a chatbooth store" in refusal(tmp_path / "foreign")
    connection = apsw.Connection(str(file))
    connection.pragma("user_version", 999)
    connection.close()
    assert "newer chatbooth" in refusal(file)
    Path(f"{file}-wal").write_bytes(b"log")
    assert "is not whole" in refusal(file)
