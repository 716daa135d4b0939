"""Descriptors: shared among the wires. A client that gets none is refused at once."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.errors import TooBusy
from chatbooth_grpc.client import ChatClient
from chatbooth_grpc.server.descriptors import RESERVED, Shares, shares_of
from tests.acceptance.processes import PASSWORD, environment
from tests.server.connecting import connect, is_ended
from tests.waiting import wait_until
from tests.wire.running import Peer, refusal

LIMIT = 128
PATIENCE = 60.0


@pytest.mark.parametrize(
    ("limit", "grpc_too", "max_wire", "shares"),
    [
        (20_000, True, 4_000, Shares(20_000 - RESERVED - 4_000, 4_000)),
        (20_000, True, 0, Shares(20_000 - RESERVED, 0)),
        (20_000, False, 4_000, Shares(0, 4_000)),
        (1_024, True, 4_000, Shares((1_024 - RESERVED) // 2, (1_024 - RESERVED) // 2)),
        (1_024, False, 4_000, Shares(0, 1_024 - RESERVED)),
        (64, True, 4_000, Shares(16, 16)),
    ],
)
def test_the_limit_of_connections_leaves_descriptors_for_the_store(
    limit: int, grpc_too: bool, max_wire: int, shares: Shares
) -> None:
    assert shares_of(limit, grpc=grpc_too, max_wire=max_wire) == shares


def test_fewer_wire_connections_than_asked_for_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    shares_of(20_000, grpc=True, max_wire=4_000)
    assert not caplog.records
    shares_of(1_024, grpc=True, max_wire=4_000)
    assert "raise it with ulimit -n" in caplog.text


def test_the_limit_of_open_files_is_raised_as_far_as_possible() -> None:
    code = "from chatbooth_grpc.server.descriptors import raise_file_limit as r; print(r())"
    command = ["/bin/sh", "-c", 'ulimit -S -n 64; exec "$@"', "sh", sys.executable, "-c", code]
    raised = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raised == min(hard if hard != resource.RLIM_INFINITY else raised, 1_000_000)
    assert raised > 64


@dataclass
class Limited:
    """A server process that may open few files, the ports of its wires, and its log."""

    grpc_port: int
    wire_port: int
    log: Path

    def fill(self, held: contextlib.ExitStack, port: int) -> None:
        """Open more connections than the server may hold."""
        for _ in range(LIMIT):
            held.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))

    def has_said(self, part: str) -> bool:
        """Return whether a line of the log contains `part`."""
        return bool(self.lines(part))

    def lines(self, part: str) -> list[str]:
        """Return the lines of the log that contain `part`."""
        return [line for line in self.log.read_text().splitlines() if part in line]


@contextlib.contextmanager
def served(folder: Path, limit: int, *flags: str) -> Iterator[Limited]:
    """Run a server with both wires that may open `limit` files."""
    log = folder / "log"
    flags = ("--port", "0", "--wire-port", "0", "--store", str(folder / "chatbooth.db"), *flags)
    command = f'ulimit -n {limit}; exec "$@"'
    with log.open("wb") as written:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command, "sh", sys.executable, "-m", "chatbooth_grpc.server", *flags],
            stderr=written,
            env=environment(),
        )
    try:
        wait_until(lambda: "stop:" in log.read_text())
        ports = [int(port) for port in re.findall(r"listening on \S+:(\d+),", log.read_text())]
        yield Limited(ports[0], ports[1], log)
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Limited]:
    """Run a server with both wires."""
    with served(tmp_path, LIMIT) as running:
        yield running


def test_a_grpc_client_without_a_free_descriptor_is_refused_at_once(limited: Limited) -> None:
    with contextlib.ExitStack() as held:
        limited.fill(held, limited.grpc_port)
        wait_until(lambda: bool(limited.lines("new gRPC connections are refused")))
        with grpc.insecure_channel(f"127.0.0.1:{limited.grpc_port}") as channel, pytest.raises(grpc.RpcError) as found:
            pb_grpc.ChatServiceStub(channel).LogIn(pb.LogInRequest(), timeout=PATIENCE)
        assert isinstance(found.value, grpc.Call)
        assert found.value.code() == grpc.StatusCode.UNAVAILABLE
        with socket.create_connection(("127.0.0.1", limited.wire_port), PATIENCE) as connected:
            Peer(connected).sign_up("ann")
    assert len(limited.lines("new gRPC connections are refused")) == 1


def test_a_wire_client_without_a_free_descriptor_is_refused_at_once(limited: Limited) -> None:
    with contextlib.ExitStack() as held:
        limited.fill(held, limited.wire_port)
        peer = Peer(held.enter_context(socket.create_connection(("127.0.0.1", limited.wire_port), PATIENCE)))
        assert isinstance(refusal(peer.reply()), TooBusy)
        with grpc.insecure_channel(f"127.0.0.1:{limited.grpc_port}") as channel:
            request = pb.SignUpRequest(username="ann", password="a long password")
            pb_grpc.ChatServiceStub(channel).SignUp(request, timeout=PATIENCE)
    assert len(limited.lines("new wire connections are refused")) == 1


def test_connections_that_take_all_their_descriptors_leave_those_of_the_store(tmp_path: Path) -> None:
    with contextlib.ExitStack() as held, crowd() as crowded:
        server = held.enter_context(served(tmp_path, LIMIT, "--trusted-addresses", "none"))
        clients = [
            held.enter_context(ChatClient.connect(address))
            for address in (f"127.0.0.1:{server.grpc_port}", f"wire://127.0.0.1:{server.wire_port}")
        ]
        for number, client in enumerate(clients):
            client.sign_up(f"name{number}", PASSWORD)
        for port, words in ((server.grpc_port, "new gRPC connections"), (server.wire_port, "new wire connections")):
            crowded.fill(port)
            wait_until(partial(server.has_said, f"{words} are refused"))
        # An account may have four lists at once.
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, clients * 16))
        stats = subprocess.run(
            [
                sys.executable,
                "-m",
                "chatbooth_grpc.admin",
                "--store",
                str(tmp_path / "chatbooth.db"),
                "stats",
                "--json",
            ],
            capture_output=True,
            text=True,
            check=True,
            env=environment(),
        )
        assert json.loads(stats.stdout)["accounts"] == 2
        assert not server.lines("cannot be read")
        assert not server.lines("cannot be written")


def test_a_client_from_another_address_gets_in_while_one_address_takes_all_it_can(tmp_path: Path) -> None:
    flags = ("--trusted-addresses", "none", "--max-connections-per-address", "8")
    with contextlib.ExitStack() as held, crowd(["127.0.0.2"]) as crowded:
        server = held.enter_context(served(tmp_path, LIMIT, *flags))
        for port in (server.grpc_port, server.wire_port):
            crowded.fill(port)
        # The server ends the connections over gRPC after it has accepted them.
        wait_until(lambda: crowded.open_to(server.grpc_port) <= 8)
        for number, scheme in enumerate(("", "wire://")):
            port = server.wire_port if scheme else server.grpc_port
            with ChatClient.connect(f"{scheme}127.0.0.1:{port}") as client:
                client.sign_up(f"name{number}", PASSWORD)
                work(client)


def work(client: ChatClient) -> None:
    """Do what reads and writes the store."""
    assert client.session is not None
    client.send(client.session.username, "text")
    assert client.list_page().usernames
    client.deliver()


class Crowd:
    """Connections from several addresses of this machine, which say nothing."""

    def __init__(self, held: contextlib.ExitStack, sources: Sequence[str]) -> None:
        self._held = held
        self._sources = sources
        self._clients: dict[int, list[socket.socket]] = {}

    def fill(self, port: int) -> None:
        """Open more connections than the server may hold."""
        opened = [
            self._held.enter_context(connect(port, self._sources[number % len(self._sources)]))
            for number in range(LIMIT)
        ]
        self._clients[port] = opened

    def open_to(self, port: int) -> int:
        """Return how many connections the server has not ended."""
        return sum(not is_ended(each) for each in self._clients[port])


@contextlib.contextmanager
def crowd(sources: Sequence[str] = tuple(f"127.0.1.{number}" for number in range(1, 65))) -> Iterator[Crowd]:
    """Make a crowd, and close all its connections afterwards."""
    with contextlib.ExitStack() as held:
        yield Crowd(held, sources)
