"""A server on a full disk reports NOT_SERVING, and SERVING when the disk has room, though nobody sends."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import FileIO
from pathlib import Path

import pytest

from chatbooth_grpc.booth.errors import StoreFull, StoreUnavailable
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.acceptance.logged_server import LoggedServer
from tests.acceptance.processes import PASSWORD
from tests.contract.stores import log_in, texts
from tests.rpc.health_of import NOT_SERVING, SERVING, watching_health

PATIENCE = 60.0
Filling = Callable[[LoggedServer, Path], AbstractContextManager[None]]


@contextmanager
def files_that_may_not_grow(server: LoggedServer, path: Path) -> Iterator[None]:
    """Let the system refuse each write beyond the present end of the store's log."""
    if sys.platform != "linux":
        pytest.skip("only Linux limits a process that runs")
    process_id = server.process.pid
    before = resource.prlimit(process_id, resource.RLIMIT_FSIZE)
    size = Path(f"{path}-wal").stat().st_size
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, before)


@contextmanager
def a_full_disk(_: LoggedServer, path: Path) -> Iterator[None]:
    """Fill the disk, which is small."""
    if not path.parent.is_mount():
        pytest.skip("only root may mount a small disk")
    filler = path.parent / "filler"
    with filler.open("wb", buffering=0) as filling:
        while _is_written(filling):
            continue
    yield
    filler.unlink()


def _is_written(filling: FileIO) -> bool:
    """Return whether the disk takes another block."""
    try:
        return filling.write(bytes(4_096)) > 0
    except OSError:
        return False


def send_until_refused(client: ChatClient) -> list[str]:
    """Send numbered messages until the server cannot store another. Return those that it has stored."""
    sent: list[str] = []
    while True:
        text = str(len(sent))
        try:
            client.send("ann", f"{text} " + "x" * 4_000)
        except (StoreFull, StoreUnavailable):
            return sent
        sent.append(text)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """The path of a store, on a disk of its own if this user may mount one."""
    (folder := tmp_path / "data").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    yield folder / "chatbooth.db"
    if is_mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def server(path: Path) -> Iterator[LoggedServer]:
    server = LoggedServer(path)
    yield server
    server.process.kill()
    server.process.wait(PATIENCE)


@pytest.mark.parametrize("fill", [files_that_may_not_grow, a_full_disk])
def test_health_follows_the_disk(server: LoggedServer, path: Path, fill: Filling) -> None:
    with (
        ChatClient.connect(server.addresses["wire"], timeout=5.0) as client,
        watching_health(server.grpc) as whole,
        watching_health(server.grpc, SERVICE_NAME) as service,
    ):
        client.sign_up("ann", PASSWORD)
        assert [next(whole), next(service)] == [SERVING, SERVING]
        with fill(server, path):
            # The log may have room for some of them.
            sent = send_until_refused(client)
            assert [next(whole), next(service)] == [NOT_SERVING, NOT_SERVING]
        # Nobody sends meanwhile. The server itself finds out.
        assert [next(whole), next(service)] == [SERVING, SERVING]
        client.send("ann", "after it")
        sent.append("after")
    assert server.lines("the store cannot be written") == 1
    assert server.lines("the store can be written again") == 1
    server.end(signal.SIGTERM)
    with SQLiteStore(path) as store:
        assert [text.split()[0] for text in texts(store, log_in(store, "ann"))] == sent
