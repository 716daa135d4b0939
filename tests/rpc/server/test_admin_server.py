"""The socket of administration is its user's alone, and replaces a stale one."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from chatbooth_grpc.booth.admin_store import Progress
from chatbooth_grpc.booth.administration import Administration
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.rpc.admin_client import connected
from chatbooth_grpc.rpc.admin_socket import is_answered, reachable, socket_of
from chatbooth_grpc.rpc.server import admin_server
from chatbooth_grpc.rpc.server.admin_server import AdminServer
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import cheap_passwords
from tests.contract.stores import send_texts, sign_up


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a store, longer than a socket's may be."""
    folder = tmp_path / ("a long name of a folder " * 5)
    folder.mkdir()
    return folder / "chatbooth.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path) as store:
        yield store


@pytest.fixture
def server(store: SQLiteStore, path: Path) -> Iterator[AdminServer]:
    server = AdminServer(Administration(store.administration, passwords=cheap_passwords()), path)
    yield server
    server.stop()


def test_the_socket_is_private_from_its_first_moment(
    server: AdminServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[int] = []
    chmod = Path.chmod

    def noted(made: Path, mode: int) -> None:
        folders.append(stat.S_IMODE(made.parent.stat().st_mode))
        chmod(made, mode)

    monkeypatch.setattr(Path, "chmod", noted)
    previous = os.umask(0)
    try:
        server.start()
    finally:
        os.umask(previous)
    assert folders == [0o700]
    assert stat.S_IMODE(socket_of(path).stat().st_mode) == 0o600
    assert not list(path.parent.glob(f"{path.name}.admin-*"))


def test_a_stale_socket_is_replaced_and_the_own_one_removed(server: AdminServer, path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as stale:
        folder = os.open(path.parent, os.O_RDONLY)
        stale.bind(f"/proc/self/fd/{folder}/{path.name}.admin")
        os.close(folder)
    assert socket_of(path).is_socket()
    assert not is_answered(socket_of(path))
    server.start()
    assert is_answered(socket_of(path))
    with connected(socket_of(path)) as client:
        assert client.statistics().accounts == 0
        server.stop()
        assert not socket_of(path).exists()
        with pytest.raises(ServerUnreachable):
            client.statistics()


def test_another_servers_socket_is_left_alone(server: AdminServer, path: Path) -> None:
    server.start()
    socket_of(path).unlink()
    with closing(socket.socket(socket.AF_UNIX)) as other, reachable(socket_of(path)) as short:
        other.bind(short)
    server.stop()
    assert socket_of(path).is_socket()


def test_no_socket_is_no_server(path: Path) -> None:
    assert not is_answered(socket_of(path))


def test_a_server_goes_on_without_a_socket(server: AdminServer, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    socket_of(path).mkdir()
    (socket_of(path) / "file").touch()
    server.start()
    [line] = [record for record in caplog.records if record.name == admin_server.__name__]
    assert line.levelno == logging.WARNING
    assert vars(line)["cause"]
    assert {each.name for each in path.parent.iterdir() if each.name.startswith(f"{path.name}.admin")} == {
        f"{path.name}.admin"
    }


def test_a_stop_ends_a_backup_in_progress_and_leaves_nothing(
    store: SQLiteStore, server: AdminServer, path: Path, tmp_path: Path
) -> None:
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *("x" * 900_000 for _ in range(60)))
    server.start()
    target = tmp_path / "backup.db"
    with connected(socket_of(path)) as client:
        steps = client.backup(target, force=False)
        assert isinstance(next(steps), Progress)
        server.stop()
        with pytest.raises((ServerUnreachable, grpc.RpcError)):
            list(steps)
    assert not list(tmp_path.glob("backup.db*"))


def test_a_client_that_goes_ends_its_backup(
    store: SQLiteStore, server: AdminServer, path: Path, tmp_path: Path
) -> None:
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *("x" * 900_000 for _ in range(60)))
    server.start()
    with connected(socket_of(path)) as client:
        steps = client.backup(tmp_path / "backup.db", force=False)
        next(steps)
        steps.close()  # type: ignore[attr-defined]
    # It waits for the threads that answer.
    server.stop()
    assert not list(tmp_path.glob("backup.db*"))
