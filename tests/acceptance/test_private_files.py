"""The files that a server and a client make are their user's alone, whatever the umask is."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import CommandLine, environment
from tests.acceptance.test_administration import admin
from tests.waiting import wait_until

PUBLIC = {"store.db.tls.crt"}
"""A certificate is public: the server sends it to everyone. Its key is not."""


@pytest.fixture(params=[0o022, 0o000], ids=["umask 022", "umask 000"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Set the umask that the processes of a test inherit."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def open_to_others(folder: Path) -> set[str]:
    """Return the files and sockets below a folder that a user other than the owner may read or write."""
    return {
        path.name
        for path in folder.rglob("*")
        if not path.is_dir() and stat.S_IMODE(path.lstat().st_mode) & 0o077 and path.name not in PUBLIC
    }


def test_the_files_of_a_server_and_a_client_are_private(tmp_path: Path, umask: int) -> None:
    # The test's own log, which the test opens, lies elsewhere.
    home, state, log = tmp_path / "home", tmp_path / "state", tmp_path / "log"
    home.mkdir()
    state.mkdir()
    store = home / "store.db"
    command = [sys.executable, "-m", "chatbooth_grpc.server", "--port", "0", "--tls", "auto", "--store", str(store)]
    with log.open("w") as stderr:
        server = subprocess.Popen(command, stderr=stderr, env=environment())
    try:
        wait_until(lambda: "stop:" in log.read_text(), 60)
        act(log.read_text(), state, store)
        names = {path.name for path in home.iterdir()}
        assert names >= {
            *("store.db", "store.db-wal", "store.db-shm", "store.db.seal", "store.db.admin", "store.db.last-backup"),
            *("store.db.tls.key", "store.db.tls.crt", "backup.db", "ann.jsonl"),
        }
        assert open_to_others(home) == set()
        kept = [path for path in state.rglob("*") if path.is_file()]
        assert len(kept) >= 3, kept
        assert open_to_others(state) == set()
    finally:
        server.terminate()
        server.wait(60)
    assert admin(store, "restore", str(home / "backup.db"), "--yes").code == 0
    assert any(".before-restore-" in path.name for path in home.iterdir())
    assert open_to_others(home) == set()


def act(banner: str, state: Path, store: Path) -> None:
    """Make every kind of file: sessions, an outbox, the known certificate, a backup and an export."""
    address = re.search(r"--server (\S+) signup", banner)
    fingerprint = re.search(r"TLS certificate: (\S+)", banner)
    assert address
    assert fingerprint
    client = CommandLine(address[1], state)
    signed_up = client("--trust", fingerprint[1], "signup", "ann")
    assert signed_up.code == 0, signed_up.err
    assert client("send", "ann", "hello").code == 0
    assert client("send", "--queue", "ann", "hello").code == 0
    assert client("deliver").code == 0
    assert admin(store, "backup", str(store.with_name("backup.db"))).code == 0
    assert admin(store, "export", "ann", str(store.with_name("ann.jsonl"))).code == 0


def test_a_file_that_others_may_read_is_found(tmp_path: Path) -> None:
    for name, mode in (("private", 0o600), ("group", 0o640), ("others", 0o604), ("written", 0o602)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    assert open_to_others(tmp_path) == {"group", "others", "written"}
