"""The open sockets of this process: found with both ends, and ended without harm to another."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from chatbooth_grpc.server.open_sockets import OpenSocket, both_ends, open_sockets, shut_down
from tests.server.connecting import Accepted


def found(one: socket.socket) -> OpenSocket:
    """Return an open socket as the table of descriptors shows it."""
    return OpenSocket(one.fileno(), os.fstat(one.fileno()).st_ino)


def test_sockets_are_found_and_files_are_not() -> None:
    with Accepted() as accepted, Path(os.devnull).open() as file:
        server, client = accepted.connect()
        shown = set(open_sockets())
        assert {found(server), found(client), found(accepted.listening)} <= shown
        assert file.fileno() not in {each.descriptor for each in shown}


def test_a_connection_shows_both_ends_and_stays_open() -> None:
    with Accepted() as accepted:
        server, client = accepted.connect()
        assert both_ends(found(server)) == (server.getsockname(), client.getsockname())
        assert both_ends(found(accepted.listening)) is None
        client.sendall(b"x")
        assert server.recv(1) == b"x"


def test_a_connection_is_shut_down_for_both_sides() -> None:
    with Accepted() as accepted:
        server, client = accepted.connect()
        assert shut_down(found(server))
        assert client.recv(1) == b""
        assert server.recv(1) == b""


def test_a_descriptor_that_belongs_to_another_socket_now_is_left_alone() -> None:
    with Accepted() as accepted:
        server, client = accepted.connect()
        earlier = found(server)
        # The descriptor now refers to another connection.
        another, its_client = accepted.connect()
        os.dup2(another.fileno(), server.fileno())
        assert not shut_down(earlier)
        its_client.sendall(b"x")
        assert another.recv(1) == b"x"
        assert client.recv(1) == b""


def test_a_closed_descriptor_is_no_connection() -> None:
    with Accepted() as accepted:
        server, _ = accepted.connect()
        gone = found(server)
        server.close()
        assert both_ends(gone) is None
        assert not shut_down(gone)
