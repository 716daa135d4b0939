"""An administrator acts on a real server: backups under load, restores, full disks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pexpect
import pytest

from chatbooth_grpc.client import ChatboothError, ChatClient, MessageBatch, Restored, StoreFull
from chatbooth_grpc.rpc.admin_socket import socket_of
from tests.acceptance.processes import PASSWORD, Done, ServerProcess, environment

ADMIN = [sys.executable, "-m", "chatbooth_grpc.admin"]


def admin(store: Path, *words: str, typed: str = "") -> Done:
    """Run an administrator's command to its end."""
    done = subprocess.run(
        [*ADMIN, "--store", str(store), *words],
        input=typed,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        start_new_session=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / "chatbooth.db"


@pytest.fixture
def serve(path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers, which are ended after the test."""
    servers: list[ServerProcess] = []

    def start(store: Path = path, port: int = 0) -> ServerProcess:
        servers.append(ServerProcess(store, port))
        return servers[-1]

    yield start
    for server in servers:
        try:
            server.end()
        except ProcessLookupError:
            continue


def signed_up(server: ServerProcess, username: str) -> ChatClient:
    """A client of a new account."""
    client = ChatClient.connect(server.address)
    client.sign_up(username, PASSWORD)
    return client


def all_texts(client: ChatClient) -> list[tuple[int, str]]:
    """The sequences and texts of all messages that wait."""
    messages: list[tuple[int, str]] = []
    after = 0
    while True:
        delivery = client.deliver(after=after)
        messages += [(message.sequence, message.text) for message in delivery.messages]
        if not delivery.messages:
            return messages
        after = messages[-1][0]


class Sender(threading.Thread):
    """Sends one text after another until `stop` is called, and notes those that were acknowledged."""

    def __init__(self, client: ChatClient, name: str) -> None:
        super().__init__(daemon=True, name=name)
        self._client = client
        self.acknowledged: list[str] = []
        self._ended = threading.Event()
        self.has_sent = threading.Event()

    def run(self) -> None:
        number = 0
        while not self._ended.is_set():
            text = f"{self.name} {number}"
            self._client.send("bob", text)
            self.acknowledged.append(text)
            number += 1
            if number == 50:
                self.has_sent.set()

    def stop(self) -> None:
        self._ended.set()
        self.join(60)


def test_a_backup_under_load_has_all_that_was_acknowledged_before_it(
    path: Path, serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = serve()
    bob = signed_up(server, "bob")
    senders = [Sender(signed_up(server, f"sender{number}"), f"sender{number}") for number in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        assert sender.has_sent.wait(60)
    before = {text for sender in senders for text in list(sender.acknowledged)}
    backup = tmp_path / "backup.db"
    done = admin(path, "backup", str(backup), "--json")
    assert done.code == 0, done.err
    for sender in senders:
        sender.stop()
    sent = {text for sender in senders for text in sender.acknowledged}
    assert admin(path, "check").code == 0
    assert len(all_texts(bob)) == len(sent)
    elsewhere = tmp_path / "elsewhere" / "chatbooth.db"
    elsewhere.parent.mkdir()
    assert admin(elsewhere, "restore", str(backup), "--yes").code == 0
    restored = serve(elsewhere)
    with ChatClient.connect(restored.address, session=bob.session) as again:
        kept = all_texts(again)
    texts = [text for _, text in kept]
    # P1: nothing that was acknowledged before the backup is missing. P2: nothing is there twice.
    assert before <= set(texts) <= sent
    assert len(texts) == len(set(texts))
    # P3: the sequences have no gaps, and each sender's messages keep their order.
    assert [sequence for sequence, _ in kept] == list(range(1, len(kept) + 1))
    for sender in senders:
        own = [text for text in texts if text.startswith(f"{sender.name} ")]
        assert own == sender.acknowledged[: len(own)]
    assert admin(elsewhere, "check").code == 0


def test_a_live_client_notices_a_restore_and_misses_nothing_that_comes_after_it(
    path: Path, serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = serve()
    ann, bob = signed_up(server, "ann"), signed_up(server, "bob")
    ann.send("bob", "before the backup")
    assert admin(path, "backup", str(tmp_path / "backup.db")).code == 0
    ann.send("bob", "after the backup")
    seen: list[str] = []
    restored = threading.Event()
    gone = threading.Event()
    came = threading.Event()

    def listen() -> None:
        with bob.listen() as events:
            for event in events:
                if isinstance(event, MessageBatch):
                    seen.extend(message.text for message in event.messages)
                    bob.acknowledge(event.messages[-1].sequence)
                    if "after the backup" in seen:
                        gone.set()
                    if "after the restore" in seen:
                        came.set()
                        return
                elif isinstance(event, Restored):
                    restored.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert gone.wait(60)
    port = server.port
    server.end(signal.SIGTERM)
    assert admin(path, "restore", str(tmp_path / "backup.db"), "--yes").code == 0
    server = serve(path, port)
    with ChatClient.connect(server.address) as again:
        again.log_in("ann", PASSWORD)
        again.send("bob", "after the restore")
    assert came.wait(60), seen
    listener.join(60)
    assert restored.is_set()
    # The sequence of the last message was another message's before. The client shows it all the same.
    assert seen[-1] == "after the restore"
    assert seen[:2] == ["before the backup", "after the backup"]


def test_every_command_works_served_and_stopped(path: Path, serve: Callable[..., ServerProcess]) -> None:
    server = serve()
    ann, bob = signed_up(server, "ann"), signed_up(server, "bob")
    ann.send("bob", "hello")
    commands: list[tuple[str, ...]] = [
        ("users",),
        ("stats",),
        ("check",),
        ("vacuum",),
        ("export", "bob"),
        ("disable", "bob"),
        ("enable", "bob"),
        ("reset-password", "bob"),
    ]
    for words in commands:
        done = admin(path, *words, "--json")
        assert (done.code, done.err) == (0, ""), words
        assert done.records
    with pytest.raises(ChatboothError):
        bob.deliver()
    ann.send("bob", "still receiving")
    server.end(signal.SIGTERM)
    assert not socket_of(path).exists()
    for words in commands:
        done = admin(path, *words, "--json")
        assert (done.code, done.err) == (0, ""), words
    assert admin(path, "delete", "bob", "--yes").code == 0
    assert admin(path, "delete", "bob", "--yes").code == 5
    assert admin(path, "delete", "ann").code == 2
    assert admin(path.with_name("none.db"), "stats").code == 1


def test_a_server_that_was_killed_leaves_a_socket_that_is_in_nobodys_way(
    path: Path, serve: Callable[..., ServerProcess]
) -> None:
    server = serve()
    signed_up(server, "ann")
    server.end()
    assert socket_of(path).exists()
    [user] = admin(path, "users", "--json").records
    assert user["username"] == "ann"
    serve()
    [user] = admin(path, "users", "--json").records
    assert user["username"] == "ann"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
def test_nobody_else_may_open_the_socket(path: Path, serve: Callable[..., ServerProcess], tmp_path: Path) -> None:
    serve()
    for folder in (path.parent, tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o005)
    code = (
        "import os, socket, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "tried = socket.socket(socket.AF_UNIX)\n"
        "folder = os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY)\n"
        "try:\n"
        "    tried.connect(f'/proc/self/fd/{folder}/{os.path.basename(sys.argv[1])}')\n"
        "except PermissionError:\n"
        "    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(socket_of(path))], capture_output=True, check=False)
    assert done.returncode == 7, done.stderr.decode()


@pytest.mark.parametrize("is_served", [True, False])
def test_ctrl_c_ends_a_backup_and_leaves_nothing(
    path: Path, serve: Callable[..., ServerProcess], tmp_path: Path, is_served: bool
) -> None:
    server = serve()
    ann = signed_up(server, "ann")
    for _ in range(60):
        ann.send("ann", "x" * 1_000_000)
    if not is_served:
        server.end(signal.SIGTERM)
    command = [*ADMIN, "--store", str(path), "backup", str(tmp_path / "backup.db"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True)
    while process.poll() is None and not list(tmp_path.glob("backup.db.part-*")):
        threading.Event().wait(0.002)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode == 0:
        # The backup was quicker.
        record: dict[str, Any] = json.loads(out)
        assert record["messages"] == 60
        return
    assert process.returncode == 130, err
    if is_served:
        # It waits for the threads that answer.
        server.end(signal.SIGTERM)
    assert not list(tmp_path.glob("backup.db*"))
    assert admin(path, "check").code == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")
def test_a_person_is_asked_before_something_is_destroyed(path: Path, serve: Callable[..., ServerProcess]) -> None:
    signed_up(serve(), "bob")
    for answer, words, code in (("n", "Nothing was done", 2), ("y", "Deleted bob", 0)):
        child = pexpect.spawn(
            ADMIN[0], [*ADMIN[1:], "--store", str(path), "delete", "bob"], env=environment(), encoding="utf-8"
        )
        child.expect_exact("Delete bob and all its messages? [y/N]", timeout=60)
        child.sendline(answer)
        child.expect_exact(words, timeout=60)
        child.expect(pexpect.EOF, timeout=60)
        child.close()
        assert child.exitstatus == code
    assert admin(path, "users").out == ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_ping_tells_a_healthy_server_from_one_with_a_full_disk_and_from_none(
    serve: Callable[..., ServerProcess], small_disk: Path
) -> None:
    path = small_disk / "chatbooth.db"
    server = serve(path)
    ann = signed_up(server, "ann")
    done = admin(path, "ping")
    assert (done.code, done.out) == (0, "")
    assert f"can write {path}" in done.err
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    with pytest.raises(StoreFull):
        ann.send("ann", "x" * 1_000_000)
    done = admin(path, "ping", "--json")
    assert done.code == 1
    assert "full" in done.err
    assert json.loads(done.err)["error"] == "NOT_SERVING"
    server.end(signal.SIGTERM)
    done = admin(path, "ping", "--json")
    assert (done.code, json.loads(done.err)["error"]) == (4, "NOT_RUNNING")


def test_a_full_disk_refuses_a_backup_in_plain_words(
    path: Path, serve: Callable[..., ServerProcess], small_disk: Path
) -> None:
    server = serve()
    ann = signed_up(server, "ann")
    for _ in range(4):
        ann.send("ann", "x" * 1_000_000)
    for _ in range(2):
        done = admin(path, "backup", str(small_disk / "backup.db"))
        assert done.code == 1
        assert "the disk is full. Nothing was left there." in done.err
        assert not list(small_disk.iterdir())
        # The same on the stopped store.
        server.end(signal.SIGTERM)
    assert admin(path, "check").code == 0


def test_a_full_disk_refuses_a_restore_and_keeps_the_store(
    path: Path, serve: Callable[..., ServerProcess], small_disk: Path, tmp_path: Path
) -> None:
    server = serve()
    ann = signed_up(server, "ann")
    for _ in range(3):
        ann.send("ann", "x" * 1_000_000)
    backup = tmp_path / "backup.db"
    assert admin(path, "backup", str(backup)).code == 0
    small = small_disk / "chatbooth.db"
    server = serve(small)
    signed_up(server, "bob")
    server.end(signal.SIGTERM)
    before = {each.name for each in small_disk.iterdir()}
    done = admin(small, "restore", str(backup), "--yes")
    assert done.code == 1
    assert "the disk is full" in done.err
    assert {each.name for each in small_disk.iterdir()} == before
    assert [user["username"] for user in admin(small, "users", "--json").records] == ["bob"]
