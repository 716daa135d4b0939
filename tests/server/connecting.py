"""Connections within this process, from any address of this machine."""

from __future__ import annotations

import contextlib
import socket

_TIMEOUT = 30.0


class Accepted(contextlib.ExitStack):
    """Listens on a port, and holds both ends of the connections to it."""

    def __init__(self) -> None:
        super().__init__()
        self.listening = self.enter_context(socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.listening.getsockname()[1])

    def connect(self, source: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """Connect from an address of this machine. Return the server's end and the client's."""
        client = self.enter_context(connect(self.port, source))
        server, _ = self.listening.accept()
        return self.enter_context(server), client


def connect(port: int, source: str) -> socket.socket:
    """Connect to a port of this machine, from another of its addresses."""
    return socket.create_connection(("127.0.0.1", port), _TIMEOUT, source_address=(source, 0))


def is_ended(client: socket.socket) -> bool:
    """Return whether the other side has ended the connection, after all bytes that it sent before."""
    client.setblocking(False)
    try:
        while client.recv(4_096):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True
