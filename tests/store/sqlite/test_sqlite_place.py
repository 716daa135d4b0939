"""A store is opened only if there is one, nobody serves it and the caller owns it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chatbooth_grpc.booth.admin_store import MaintenanceFailed
from chatbooth_grpc.store.sqlite.sqlite_place import SQLitePlace
from tests.contract.stores import SQLiteHome, sign_up
from tests.store.serving_process import ServingProcess


def refusal_to_open(path: Path) -> str:
    """The words of a refusal."""
    with pytest.raises(MaintenanceFailed) as refused, SQLitePlace(path).open():
        pass
    return str(refused.value)


def test_a_store_that_nobody_serves_is_opened(home: SQLiteHome) -> None:
    with home.open() as store:
        sign_up(store, "ann")
    with SQLitePlace(home.path).open() as admin:
        assert [user.username for user in admin.users(["ann"])] == ["ann"]
    with home.open() as again:
        assert again.epoch == store.epoch


def test_no_store_is_made(home: SQLiteHome) -> None:
    assert "There is no store" in refusal_to_open(home.path)
    assert not home.path.exists()


def test_a_served_store_is_refused(home: SQLiteHome) -> None:
    server = ServingProcess(home.path)
    assert "in use by another server" in refusal_to_open(home.path)
    server.close()


def test_another_users_store_is_refused(home: SQLiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home.open().close()
    before = {path.name: path.stat().st_mtime_ns for path in home.path.parent.iterdir()}
    monkeypatch.setattr(os, "geteuid", lambda: home.path.stat().st_uid + 1)
    assert "belongs to the user" in refusal_to_open(home.path)
    with pytest.raises(MaintenanceFailed, match="belongs to the user"):
        list(SQLitePlace(home.path).restore(home.path))
    assert {path.name: path.stat().st_mtime_ns for path in home.path.parent.iterdir()} == before
