"""A relay that connects from another address of this machine, for clients that cannot choose their own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_READ_SIZE = 1 << 16


@contextlib.contextmanager
def from_address(source: str, address: str) -> Iterator[str]:
    """Relay one connection to `address` from the address `source`, and yield where to connect."""
    host, _, port = address.rpartition(":")
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection((host, int(port)), source_address=(source, 0)) as onward,
    ):

        def relay() -> None:
            client, _ = listening.accept()
            with client:
                back = threading.Thread(target=_copy, args=(onward, client), daemon=True)
                back.start()
                _copy(client, onward)
                back.join()

        thread = threading.Thread(target=relay, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        with contextlib.suppress(OSError):
            onward.shutdown(socket.SHUT_RDWR)
        thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until one side ends. Then end both."""
    with contextlib.suppress(OSError):
        while data := source.recv(_READ_SIZE):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
