"""Connections are counted by the port that they lead to."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack

import pytest

from chatbooth_grpc.addresses import bind, look_up
from chatbooth_grpc.metrics.connections import connections_to
from tests.waiting import wait_until


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the connections")
def test_connections_to_a_port_are_counted_while_they_are_open() -> None:
    with ExitStack() as held:
        sockets = [held.enter_context(each) for each in bind(look_up("127.0.0.1"), 0)]
        sockets[0].listen()
        address = sockets[0].getsockname()
        assert connections_to(address[1]) == 0
        clients = [held.enter_context(socket.create_connection(address)) for _ in range(3)]
        accepted = [held.enter_context(sockets[0].accept()[0]) for _ in clients]
        assert connections_to(address[1]) == 3
        clients[0].close()
        accepted[0].close()
        wait_until(lambda: connections_to(address[1]) == 2)
