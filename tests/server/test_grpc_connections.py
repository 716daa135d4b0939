"""The limits on the connections of gRPC: in all, and for each address."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import count
from types import SimpleNamespace

import pytest

from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.observing import GRPC, WIRE
from chatbooth_grpc.server import grpc_connections
from chatbooth_grpc.server.grpc_connections import LOOK_INTERVAL, GrpcConnections
from tests.server.connecting import Accepted, connect, is_ended
from tests.server.served import Served
from tests.server.test_metrics import page_of
from tests.waiting import PATIENCE, wait_until

Serve = Callable[..., Served]
LOOPBACK = ClientAddresses()
NOBODY = ClientAddresses(())


def looked(accepted: Accepted, connections: GrpcConnections) -> GrpcConnections:
    """Have the connections to a port counted, and look."""
    connections.begin(accepted.port)
    connections.look()
    return connections


def test_connections_to_the_port_are_counted_and_others_are_not() -> None:
    with Accepted() as accepted, Accepted() as others:
        accepted.connect()
        server, client = accepted.connect()
        others.connect()
        connections = looked(accepted, GrpcConnections(9, 9, 9))
        assert connections.count == 2
        server.close()
        client.close()
        connections.look()
        assert connections.count == 1


def test_the_newest_connections_of_an_address_above_its_share_are_ended() -> None:
    refused: list[str] = []
    with Accepted() as accepted:
        connections = GrpcConnections(99, 2, 99, NOBODY, refused.append)
        older = [accepted.connect("127.0.0.2")[1]]
        looked(accepted, connections)
        newer = [accepted.connect("127.0.0.2")[1] for _ in range(3)]
        another = accepted.connect("127.0.0.3")[1]
        connections.look()
        assert [is_ended(each) for each in (*older, *newer, another)] == [False, False, True, True, False]
        connections.look()
    assert refused == ["2 connections from one address"] * 2


def test_a_connection_that_gets_a_lower_descriptor_is_not_taken_for_an_older_one() -> None:
    with Accepted() as accepted, ExitStack() as low:
        gap = [low.enter_context(socket.socket()) for _ in range(4)]
        older = [accepted.connect("127.0.0.2")[1] for _ in range(2)]
        connections = looked(accepted, GrpcConnections(99, 2, 99, NOBODY))
        for each in gap:
            each.close()
        newer = accepted.connect("127.0.0.2")[1]
        connections.look()
        assert [is_ended(each) for each in (*older, newer)] == [False, False, True]


def test_an_address_with_very_many_connections_above_its_share_floods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_connections, "FLOOD", 3)
    flooding: list[str] = []
    with Accepted() as accepted:
        connections = GrpcConnections(99, 1, 99, NOBODY, flooding=flooding.append)
        for source, count in (("127.0.0.2", 4), ("127.0.0.3", 3)):
            for _ in range(count):
                accepted.connect(source)
        looked(accepted, connections)
    assert flooding == ["127.0.0.2"]


def test_a_trusted_address_counts_only_in_all() -> None:
    with Accepted() as accepted:
        clients = [accepted.connect()[1] for _ in range(4)]
        connections = looked(accepted, GrpcConnections(3, 1, 99, LOOPBACK))
        assert [is_ended(each) for each in clients] == [False, False, False, True]
        assert connections.count == 3


def test_each_of_several_addresses_gets_a_part_of_the_descriptors() -> None:
    assert GrpcConnections(100, 9, 1_000).most_on_each(2) == 100
    assert GrpcConnections(800, 9, 1_000).most_on_each(2) == 500
    assert GrpcConnections(800, 9, 300).most_on_each(1) == 300
    # A unix socket has no address.
    assert GrpcConnections(100, 9, 1_000).most_on_each(0) == 100


def test_reaching_the_limit_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with Accepted() as accepted:
        accepted.connect()
        connections = looked(accepted, GrpcConnections(2, 9, 99))
        assert not caplog.records
        accepted.connect()
        for _ in range(3):
            connections.look()
        assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_the_connection_of_an_unwanted_call_ends_soon_and_no_other() -> None:
    refused: list[str] = []
    with Accepted() as accepted:
        connections = GrpcConnections(99, 99, 99, NOBODY, refused.append)
        clients = [accepted.connect("127.0.0.2")[1] for _ in range(3)]
        looked(accepted, connections)
        new = accepted.connect("127.0.0.2")[1]
        for unwanted in (clients[1], new):
            connections.end(call_of(unwanted, GRPC))
        # A connection over the wire may have the same address as one of gRPC.
        connections.end(call_of(clients[2], WIRE))
        connections.wait(PATIENCE)
        connections.look()
        assert [is_ended(each) for each in (*clients, new)] == [False, True, False, True]
        assert refused == ["refused requests from one address"] * 2
        connections.wait(0)


def call_of(client: socket.socket, wire: str) -> Call:
    """Return a call that came over a connection."""
    host, port = client.getsockname()
    return Call("SEND", lambda: f"{host}:{port}", wire)


def test_looks_take_a_small_part_of_the_time_and_more_while_an_address_has_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each look takes a second.
    monkeypatch.setattr(grpc_connections, "time", SimpleNamespace(monotonic=count().__next__))
    with Accepted() as accepted:
        connections = GrpcConnections(99, 1, 99, NOBODY)
        connections.begin(accepted.port)
        assert connections.look() == 25
        for _ in range(2):
            accepted.connect("127.0.0.2")
        assert connections.look() == 4
        assert connections.look() == 25


def test_a_system_that_shows_no_descriptors_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", refuse)
    with Accepted() as accepted:
        connections = GrpcConnections(9, 9, 9)
        connections.begin(accepted.port)
        assert connections.look() == LOOK_INTERVAL
        assert connections.count is None


def test_a_server_ends_the_newest_connections_of_an_address_and_serves_others(serve: Serve) -> None:
    flags = ("--trusted-addresses", "none", "--max-connections-per-address", "5", "--metrics", "127.0.0.1:0")
    server = serve(*flags)
    with ExitStack() as held:
        clients = held_by(held, server, ["127.0.0.2"] * 5)
        wait_until(lambda: 'chatbooth_connections{wire="grpc"} 5.0' in page_of(server))
        more = held_by(held, server, ["127.0.0.2"] * 4)
        wait_until(lambda: all(is_ended(each) for each in more))
        assert not any(is_ended(each) for each in clients)
        assert server.answers()
        wait_until(lambda: 'throttled_total{limit="5 connections from one address"} 4.0' in page_of(server))
        # A closed connection makes room for another.
        clients[0].close()
        wait_until(lambda: 'chatbooth_connections{wire="grpc"} 4.0' in page_of(server))
        [another] = held_by(held, server, ["127.0.0.2"])
        wait_until(lambda: 'chatbooth_connections{wire="grpc"} 5.0' in page_of(server))
        assert not is_ended(another)
    server.process.terminate()
    assert server.ends()


def test_a_server_on_two_addresses_keeps_to_its_limit_in_all(serve: Serve) -> None:
    server = serve("--host", "localhost", "--max-grpc-connections", "6", "--metrics", "127.0.0.1:0")
    port = int(server.address.rpartition(":")[2])
    with ExitStack() as held:
        for address in ("127.0.0.1", "::1"):
            for _ in range(5):
                held.enter_context(socket.create_connection((address, port)))
        wait_until(lambda: "new gRPC connections are refused" in server.said)
        wait_until(lambda: 'chatbooth_connections{wire="grpc"} 6.0' in page_of(server))
    server.process.terminate()
    assert server.ends()


def held_by(held: ExitStack, server: Served, sources: Sequence[str]) -> list[socket.socket]:
    """Open a connection from each address, and keep it open."""
    port = int(server.address.rpartition(":")[2])
    return [held.enter_context(connect(port, source)) for source in sources]
