"""Every way in which a client, the server or the network between them can end, with real processes, on both wires."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.errors import DeadlineExceeded, ServerUnreachable
from chatbooth_grpc.booth.model import MessageBatch, Session
from chatbooth_grpc.client.chat_client import ChatClient
from tests.acceptance.processes import PASSWORD, environment

ROOT = Path(__file__).parents[2]
PATIENCE = 40.0
KEEPALIVE = 1.0
IDLE = 2.0
"""The limits that the servers here are given, in seconds."""


class Server:
    """A server with short limits, on both wires."""

    def __init__(self, folder: Path, *flags: str, host: str = "127.0.0.1") -> None:
        log = folder / "server.log"
        command = [sys.executable, "-m", "chatbooth_grpc.server", "--host", host, "--port", "0", "--wire-port", "0"]
        command += ["--store", str(folder / "store.db"), *flags]
        with log.open("w") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr, env=environment())
        wait_until(lambda: len(re.findall(r"listening on (\S+),", log.read_text())) == 2)
        grpc_address, wire_address = re.findall(r"listening on (\S+),", log.read_text())
        self.addresses = {"grpc": grpc_address, "wire": f"wire://{wire_address}"}
        self.idle_sockets = self.sockets()

    def sockets(self) -> int:
        """How many sockets it holds."""
        found = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found += str(link.readlink()).startswith("socket:")
        return found

    def freeze(self) -> None:
        """Stop it, as a machine that hangs, and wait until it is."""
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")

    def end(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0


def wait_until(holds: Callable[[], bool], within: float = PATIENCE) -> float:
    """Wait until something holds; return after how many seconds it did."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < within, "it never came to hold"
        threading.Event().wait(0.02)
    return time.monotonic() - started


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The server."""
    limits = ["--idle-timeout", f"{IDLE}s", "--keepalive-time", f"{KEEPALIVE}s", "--keepalive-timeout", "6s"]
    running = Server(tmp_path, *limits)
    yield running
    running.end()


@pytest.fixture(params=["grpc", "wire"])
def address(server: Server, request: pytest.FixtureRequest) -> str:
    """Its address on one wire, then on the other."""
    return str(server.addresses[request.param])


def established_with(net: str) -> int:
    """How many established connections come from the network namespace's end of the cable."""
    peer = "02" + "".join(f"{int(number):02X}" for number in reversed(net.split(".")))
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    return sum(line[2].partition(":")[0].endswith(peer) and line[3] == "01" for line in lines)


def signed_up(address: str, name: str = "ann") -> Session:
    """Make an account, on a connection that is closed then."""
    with ChatClient.connect(address) as client:
        return client.sign_up(name, PASSWORD)


@contextlib.contextmanager
def listening(address: str, session: Session, *prefix: str) -> Iterator[subprocess.Popen[str]]:
    """Run a client that listens, up to its opening."""
    command = [*prefix, sys.executable, "-m", "tests.acceptance.listening_process", address, session.token.hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "opened\n"
            yield process
        finally:
            process.kill()


def test_a_silent_connection_is_closed_and_the_next_call_just_works(server: Server, address: str) -> None:
    session = signed_up(address)
    with ChatClient.connect(address, session=session) as client:
        client.acknowledge(0)
        held = server.sockets()
        took = wait_until(lambda: server.sockets() < held)
        assert took > IDLE / 2
        client.acknowledge(0)


def test_an_open_listen_counts_as_use(server: Server, address: str) -> None:
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
        threading.Event().wait(2.5 * IDLE)  # what is tested is that time passes
        client.send("ann", "still there?")
        wait_until(lambda: received == ["still there?"])
        assert lost == []
        stream.close()
        reader.join(PATIENCE)


def test_a_killed_client_is_freed_at_once(server: Server, address: str) -> None:
    session = signed_up(address)
    with listening(address, session) as client:
        assert server.sockets() > server.idle_sockets
        client.kill()
        assert wait_until(lambda: server.sockets() <= server.idle_sockets) < 10.0


def test_a_frozen_client_is_freed_within_the_keepalive(server: Server, address: str) -> None:
    session = signed_up(address)
    with listening(address, session) as client:
        assert server.sockets() > server.idle_sockets
        client.send_signal(signal.SIGSTOP)
        took = wait_until(lambda: server.sockets() <= server.idle_sockets)
        client.send_signal(signal.SIGCONT)
        assert took < 10 * (2 * KEEPALIVE)


def test_a_frozen_server_keeps_no_call_past_its_deadline(server: Server, address: str) -> None:
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


def test_a_killed_server_is_told_of_and_the_next_resumes(tmp_path: Path) -> None:
    first = Server(tmp_path)
    session = signed_up(first.addresses["grpc"])
    with ChatClient.connect(first.addresses["grpc"], session=session, timeout=1.0) as client:
        first.process.kill()
        first.process.wait(PATIENCE)
        with pytest.raises((ServerUnreachable, DeadlineExceeded)):
            client.send("ann", "anyone?")


@pytest.fixture
def network() -> Iterator[tuple[str, str]]:
    """A network namespace, joined to this one by a cable; yields its name and the network of the cable."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("iptables"):
        pytest.skip("needs root, ip and iptables to make a network namespace")
    name = f"cb{os.getpid() % 100_000}"
    net = f"10.213.{os.getpid() % 250 + 1}"  # of this process alone: tests run side by side
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
def test_a_client_that_is_cut_off_is_freed_within_the_keepalive(
    tmp_path: Path, network: tuple[str, str], wire: str
) -> None:
    name, net = network
    limits = ["--keepalive-time", f"{KEEPALIVE}s", "--keepalive-timeout", "6s"]
    server = Server(tmp_path, "--insecure", *limits, host=f"{net}.1")
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
        server.end()
