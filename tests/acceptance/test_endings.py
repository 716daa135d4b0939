"""All ways in which a client, a server or a network can end, on both wires."""

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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, ServerUnreachable
from chatbooth_grpc.booth.model import MessageBatch, Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.acceptance.processes import PASSWORD, environment
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
PATIENCE = 40.0
KEEPALIVE = 1.0
IDLE = 2.0
"""The limits of the servers in these tests, in seconds."""


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
        """Return how many sockets it holds."""
        found = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found += str(link.readlink()).startswith("socket:")
        return found

    def freeze(self) -> None:
        """Stop it, like a machine that hangs, and wait until it has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def resident_bytes(self) -> int:
        """Return how much memory it holds."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def ports(self) -> list[str]:
        """Return the flags by which the next server gets the same addresses."""
        grpc_port, wire_port = (self.addresses[wire].rpartition(":")[2] for wire in ("grpc", "wire"))
        return ["--port", grpc_port, "--wire-port", wire_port]

    def end(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Return the server."""
    limits = ["--idle-timeout", f"{IDLE}s", "--keepalive-time", f"{KEEPALIVE}s", "--keepalive-timeout", "6s"]
    running = Server(tmp_path, *limits)
    yield running
    running.end()


@pytest.fixture(params=["grpc", "wire"])
def address(server: Server, request: pytest.FixtureRequest) -> str:
    """Return its address on one wire, then on the other."""
    return str(server.addresses[request.param])


def established_with(net: str) -> int:
    """Return how many established connections come from the network namespace's end of the cable."""
    peer = "02" + "".join(f"{int(number):02X}" for number in reversed(net.split(".")))
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    return sum(line[2].partition(":")[0].endswith(peer) and line[3] == "01" for line in lines)


def signed_up(address: str, name: str = "ann") -> Session:
    """Make an account, on a connection that is closed afterwards."""
    with ChatClient.connect(address) as client:
        return client.sign_up(name, PASSWORD)


@contextlib.contextmanager
def listening(address: str, session: Session, *prefix: str, crowd: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Run a client that listens, until its stream has opened, or a crowd of them in one process."""
    module = "crowd_process" if crowd else "listening_process"
    command = [*prefix, sys.executable, "-m", f"tests.acceptance.{module}", address, session.token.hex()]
    command += [str(crowd)] if crowd else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "opened\n"
            yield process
        finally:
            process.kill()


def test_a_silent_connection_is_closed_and_the_next_call_works(server: Server, address: str) -> None:
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
        # The time itself is tested.
        threading.Event().wait(2.5 * IDLE)
        client.send("ann", "still there?")
        wait_until(lambda: received == ["still there?"])
        assert lost == []
        stream.close()
        reader.join(PATIENCE)


def test_the_connection_of_a_killed_client_is_freed_at_once(server: Server, address: str) -> None:
    session = signed_up(address)
    with listening(address, session) as client:
        assert server.sockets() > server.idle_sockets
        client.kill()
        assert wait_until(lambda: server.sockets() <= server.idle_sockets) < 10.0


def test_the_connection_of_a_frozen_client_is_freed_within_the_keepalive(server: Server, address: str) -> None:
    session = signed_up(address)
    with listening(address, session) as client:
        assert server.sockets() > server.idle_sockets
        client.send_signal(signal.SIGSTOP)
        took = wait_until(lambda: server.sockets() <= server.idle_sockets)
        client.send_signal(signal.SIGCONT)
        assert took < 10 * (2 * KEEPALIVE)


def test_a_call_to_a_frozen_server_ends_at_its_deadline(server: Server, address: str) -> None:
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
    server: Server, address: str, monkeypatch: pytest.MonkeyPatch
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
def test_the_end_of_a_session_ends_its_stream_at_once(server: Server, address: str, ending: str) -> None:
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
    server = Server(tmp_path, "--threads", "1")
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
    server.end()
    assert counts[-1][1] - counts[0][1] < 200 * (
        20 << 10
        # Since then 200 have come and gone. While they are connected, each takes more.
    )


def test_a_killed_server_is_reported_at_once(tmp_path: Path) -> None:
    first = Server(tmp_path)
    session = signed_up(first.addresses["grpc"])
    with ChatClient.connect(first.addresses["grpc"], session=session, timeout=1.0) as client:
        first.process.kill()
        first.process.wait(PATIENCE)
        with pytest.raises((ServerUnreachable, DeadlineExceeded)):
            client.send("ann", "anyone?")


GRACE = 5.0
"""The time that a server has to drain, in seconds."""


@pytest.mark.parametrize("wire", ["grpc", "wire"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_client_resumes_at_the_next_server(tmp_path: Path, wire: str, number: signal.Signals) -> None:
    """One client sends all the time. Messages from before, during and after the restart come once and in order."""
    server = Server(tmp_path, "--drain-grace", f"{GRACE}s")
    address = server.addresses[wire]
    session = signed_up(address)
    sent: list[int] = []
    stop = threading.Event()

    def send() -> None:
        with ChatClient.connect(address, session=session, timeout=PATIENCE) as sender:
            while not stop.is_set():
                # The client tries again, with the same id.
                sender.send("ann", str(len(sent)))
                sent.append(len(sent))

    with listening(address, session) as client:
        assert client.stdout is not None
        received: list[int] = []
        reader = threading.Thread(target=_read_numbers, args=(client.stdout, received))
        sender = threading.Thread(target=send)
        reader.start()
        sender.start()

        def wait_for_more() -> None:
            enough = len(sent) + 50
            wait_until(lambda: len(sent) >= enough)

        for _ in range(2):
            wait_for_more()
            started = time.monotonic()
            server.process.send_signal(number)
            assert server.process.wait(PATIENCE) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
            assert time.monotonic() - started < GRACE + 5.0
            server = Server(tmp_path, "--drain-grace", f"{GRACE}s", *server.ports())
        wait_for_more()
        stop.set()
        sender.join(PATIENCE)
        wait_until(lambda: len(received) >= len(sent))
        client.kill()
        reader.join(PATIENCE)
    assert received == sent
    server.end()


def _read_numbers(lines: Iterable[str], received: list[int]) -> None:
    """Note the numbers that a listening process prints as the texts of messages."""
    for line in lines:
        received.extend(int(number) for number in re.findall(r"content=b'(\d+)'", line))


def test_every_client_is_told_of_a_drain_which_ends_within_its_grace(tmp_path: Path) -> None:
    server = Server(tmp_path, "--drain-grace", f"{GRACE}s")
    address = server.addresses["grpc"]
    session = signed_up(address)
    with grpc.insecure_channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        metadata = (("authorization", f"Bearer {session.token.hex()}"),)
        stub = pb_grpc.ChatServiceStub(channel)
        stream = stub.Listen(pb.ListenRequest(), metadata=metadata, timeout=PATIENCE)
        assert next(stream).WhichOneof("event") == "opening"
        request = pb.SendRequest(recipient="ann", message_id=os.urandom(16), text="one")
        stub.Send(request, metadata=metadata, timeout=PATIENCE)
        assert next(stream).batch.messages[0].sequence == 1
        started = time.monotonic()
        server.process.terminate()
        assert [answer.status for answer in watch] == [health_pb2.HealthCheckResponse.NOT_SERVING]
        end = next(stream).end
        assert (end.reason, end.sent_through) == (pb.END_REASON_DRAINING, 1)
        with pytest.raises(grpc.RpcError) as ended:
            next(stream)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        status = rpc_status.from_call(cast(grpc.Call, ended.value))
        info = error_details_pb2.ErrorInfo()
        assert status is not None
        assert any(detail.Unpack(info) for detail in status.details)
        assert info.reason == "SERVER_DRAINING"
        assert server.process.wait(PATIENCE) == 0
        assert time.monotonic() - started < GRACE


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
