"""A TCP proxy that counts the payload bytes and the chunks in each direction."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType

_READ_SIZE = 64 << 10


@dataclass
class Traffic:
    """The sizes of the chunks in each direction, in order. A chunk is about a packet on loopback."""

    to_server: list[int] = field(default_factory=list)
    to_client: list[int] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The bytes of payload in both directions."""
        return sum(self.to_server) + sum(self.to_client)

    @property
    def packets(self) -> list[int]:
        """The sizes of all chunks in both directions."""
        return self.to_server + self.to_client


class CountingProxy:
    """Forwards connections to a server on loopback, and counts from one `cut` to the next."""

    def __init__(self, server: str) -> None:
        """`server` is HOST:PORT."""
        host, _, port = server.rpartition(":")
        self._target = (host, int(port))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._traffic = Traffic()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """The address to which clients connect."""
        host, port = self._listening.getsockname()
        return f"{host}:{port}"

    def cut(self) -> Traffic:
        """Return the traffic since the last cut."""
        with self._lock:
            traffic, self._traffic = self._traffic, Traffic()
        return traffic

    def __enter__(self) -> CountingProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        for connected in self._sockets:
            connected.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink, to_server in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._forward, args=(source, sink, to_server), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, to_server: bool) -> None:
        try:
            while data := source.recv(_READ_SIZE):
                with self._lock:
                    chunks = self._traffic.to_server if to_server else self._traffic.to_client
                    chunks.append(len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one side is gone
