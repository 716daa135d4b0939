"""python -m bench.performance.echo_server: a bare socket server that echoes all bytes."""

from __future__ import annotations

import socket
import threading

_READ_SIZE = 64 << 10


def _serve(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client:
        while data := client.recv(_READ_SIZE):
            client.sendall(data)


def main() -> None:
    """Print the address, and serve until killed. Each connection has a thread."""
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as listening:
        print(f"listening on 127.0.0.1:{listening.getsockname()[1]}", flush=True)
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
