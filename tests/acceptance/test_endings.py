"""All ways in which a client, its session or its network can end, on both wires."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, ServerUnreachable
from chatbooth_grpc.booth.model import MessageBatch
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.acceptance.processes import PASSWORD
from tests.acceptance.watched_server import PATIENCE, WatchedServer, listening, signed_up
from tests.waiting import wait_until

KEEPALIVE = 1.0
IDLE = 2.0
"""The limits of the servers in these tests, in seconds."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WatchedServer]:
    """Return a server with short limits."""
    limits = ["--idle-timeout", f"{IDLE}s", "--keepalive-time", f"{KEEPALIVE}s", "--keepalive-timeout", "6s"]
    running = WatchedServer(tmp_path, *limits)
    yield running
    running.stop()


@pytest.fixture(params=["grpc", "wire"])
def address(server: WatchedServer, request: pytest.FixtureRequest) -> str:
    """Return its address on one wire, then on the other."""
    return str(server.addresses[request.param])


def established_with(net: str) -> int:
    """Return how many established connections come from the network namespace's end of the cable."""
    peer = "02" + "".join(f"{int(number):02X}" for number in reversed(net.split(".")))
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    return sum(line[2].partition(":")[0].endswith(peer) and line[3] == "01" for line in lines)


def test_a_silent_connection_is_closed_and_the_next_call_works(server: WatchedServer, address: str) -> None:
    session = signed_up(address)
    with ChatClient.connect(address, session=session) as client:
        client.acknowledge(0)
        held = server.sockets()
        took = wait_until(lambda: server.sockets() < held)
        assert took > IDLE / 2
        client.acknowledge(0)


def test_an_open_listen_counts_as_use(server: WatchedServer, address: str) -> None:
    session = signed_up(address)
    with ChatClient.connect(address, session=session) as client:
        lost: list[object] = []
        opened = threading.Event()
        stream = client.listen(on_lost=lambda error, _: lost.append(error), on_resumed=lambda _: opened.set())
        received: list[str] = []

        def read() -> None:
            for event in stream:
                assert isinstance(event, MessageBatch)
                received.extend(message.text for message in event.messages)

        reader = threading.Thread(target=read)
        reader.start()
        assert opened.wait(PATIENCE)
        # The time itself is tested.
        threading.Event().wait(2.5 * IDLE)
        client.send("ann", "still there?")
        wait_until(lambda: received == ["still there?"])
        assert lost == []
        stream.close()
        reader.join(PATIENCE)


def test_the_connection_of_a_killed_client_is_freed_at_once(server: WatchedServer, address: str) -> None:
    session = signed_up(address)
    with listening(address, session) as client:
        assert server.sockets() > server.idle_sockets
        client.kill()
        assert wait_until(lambda: server.sockets() <= server.idle_sockets) < 10.0


def test_the_connection_of_a_frozen_client_is_freed_within_the_keepalive(server: WatchedServer, address: str) -> None:
    session = signed_up(address)
    with listening(address, session) as client:
        assert server.sockets() > server.idle_sockets
        client.send_signal(signal.SIGSTOP)
        took = wait_until(lambda: server.sockets() <= server.idle_sockets)
        client.send_signal(signal.SIGCONT)
        assert took < 10 * (2 * KEEPALIVE)


def test_a_call_to_a_frozen_server_ends_at_its_deadline(server: WatchedServer, address: str) -> None:
    session = signed_up(address)
    with ChatClient.connect(address, session=session, timeout=1.0) as client:
        client.acknowledge(0)
        server.freeze()
        started = time.monotonic()
        with pytest.raises((DeadlineExceeded, ServerUnreachable)):
            client.acknowledge(0)
        assert time.monotonic() - started < 5.0
        server.process.send_signal(signal.SIGCONT)
        client.timeout = PATIENCE
        client.acknowledge(0)


def test_a_stream_notices_a_frozen_server_and_resumes_at_the_next(
    server: WatchedServer, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TCP stays up, since the kernel acknowledges for a stopped process. Only a ping without an answer shows it."""
    monkeypatch.setattr("chatbooth_grpc.client.library.grpc_transport._KEEPALIVE_TIME_MS", round(KEEPALIVE * 1_000))
    monkeypatch.setattr("chatbooth_grpc.client.library.grpc_transport._KEEPALIVE_TIMEOUT_MS", round(KEEPALIVE * 1_000))
    monkeypatch.setattr("chatbooth_grpc.wire.client.wire_transport.KEEPALIVE_TIME", KEEPALIVE)
    monkeypatch.setattr("chatbooth_grpc.wire.client.wire_transport.KEEPALIVE_TIMEOUT", KEEPALIVE)
    session = signed_up(address)
    with ChatClient.connect(address, session=session) as client:
        lost: list[ChatboothError] = []
        received: list[str] = []
        opened = threading.Event()
        stream = client.listen(on_lost=lambda error, _: lost.append(error), on_resumed=lambda _: opened.set())

        def read() -> None:
            for event in stream:
                assert isinstance(event, MessageBatch)
                received.extend(message.text for message in event.messages)

        reader = threading.Thread(target=read)
        reader.start()
        assert opened.wait(PATIENCE)
        client.send("ann", "before")
        wait_until(lambda: received == ["before"])
        server.freeze()
        assert wait_until(lambda: bool(lost)) < 10 * (2 * KEEPALIVE)
        assert isinstance(lost[0], ServerUnreachable)
        server.process.send_signal(signal.SIGCONT)
        client.send("ann", "after")
        wait_until(lambda: received == ["before", "after"])
        stream.close()
        reader.join(PATIENCE)


@pytest.mark.parametrize("ending", ["log out", "delete", "change password"])
def test_the_end_of_a_session_ends_its_stream_at_once(server: WatchedServer, address: str, ending: str) -> None:
    session = signed_up(address)
    with listening(address, session) as client, ChatClient.connect(address, session=session) as elsewhere:
        if ending == "change password":
            elsewhere.log_in("ann", PASSWORD)
            elsewhere.change_password(PASSWORD, "another password")
        elif ending == "delete":
            elsewhere.delete(PASSWORD)
        else:
            elsewhere.log_out()
        started = time.monotonic()
        # The stream says that the session has ended, and does not reconnect.
        assert client.wait(PATIENCE) == 1
        assert time.monotonic() - started < 10.0
    wait_until(lambda: server.sockets() <= server.idle_sockets)


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_a_killed_crowd_leaves_nothing(tmp_path: Path, wire: str) -> None:
    # A pool has all its threads at once, so that the others can be counted.
    server = WatchedServer(tmp_path, "--threads", "1", "--max-listeners-per-account", "100")
    session = signed_up(server.addresses[wire])
    counts: list[tuple[int, int]] = []
    for _ in range(3):
        with listening(server.addresses[wire], session, crowd=100) as crowd:
            assert server.sockets() >= server.idle_sockets + 100
            crowd.kill()
            wait_until(lambda: server.sockets() <= server.idle_sockets)
        if counts:
            wait_until(lambda: server.threads() <= counts[0][0])
        counts.append((server.threads(), server.resident_bytes()))
    server.stop()
    # Since the first count 200 have come and gone. While they are connected, each takes more than this.
    assert counts[-1][1] - counts[0][1] < 200 * (20 << 10)


@pytest.fixture
def network() -> Iterator[tuple[str, str]]:
    """Join a network namespace to this one by a cable. Yield its name and the network of the cable."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("iptables"):
        pytest.skip("needs root, ip and iptables to make a network namespace")
    name = f"cb{os.getpid() % 100_000}"
    # The names belong to this process alone, since tests run in parallel.
    net = f"10.213.{os.getpid() % 250 + 1}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {name}a type veth peer name {name}b netns {name}",
        f"ip addr add {net}.1/30 dev {name}a",
        f"ip link set {name}a up",
        f"ip -n {name} addr add {net}.2/30 dev {name}b",
        f"ip -n {name} link set {name}b up",
        f"ip -n {name} link set lo up",
    ]
    try:
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no network namespace can be made here: {command}: {done.stderr.strip()}")
        yield name, net
    finally:
        subprocess.run(["ip", "link", "del", f"{name}a"], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_the_connection_of_a_client_behind_a_cut_cable_is_freed_within_the_keepalive(
    tmp_path: Path, network: tuple[str, str], wire: str
) -> None:
    name, net = network
    limits = ["--keepalive-time", f"{KEEPALIVE}s", "--keepalive-timeout", "6s"]
    server = WatchedServer(tmp_path, "--insecure", "--host", f"{net}.1", *limits)
    try:
        address = server.addresses[wire]
        session = signed_up(address)
        with listening(address, session, "ip", "netns", "exec", name) as client:
            assert established_with(net) > 0
            for chain in ("INPUT", "OUTPUT"):
                drop = ["ip", "netns", "exec", name, "iptables", "-A", chain, "-j", "DROP"]
                subprocess.run(drop, check=True, capture_output=True)
            took = wait_until(lambda: established_with(net) == 0)
            assert took < 10 * (2 * KEEPALIVE)
            client.kill()
    finally:
        server.stop()
