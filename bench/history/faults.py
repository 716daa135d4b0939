"""Faults: a server that is killed, drained or frozen, and a proxy that cuts connections."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# With this SO_LINGER, closing a socket sends a reset.
_RESET = struct.pack("ii", 1, 0)
_READ_SIZE = 16 << 10
_START_LIMIT = 30.0


class Server:
    """A server process on one port and one file, however often it dies."""

    def __init__(self, folder: Path, source: Path, *, wire: bool) -> None:
        """`source` is the folder of the package to run."""
        self._source = source
        self._wire = wire
        self._log = folder / "server.log"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        ports = ["--no-grpc", "--wire-port", str(self.port)] if wire else ["--port", str(self.port)]
        self._command = [sys.executable, "-m", "chatbooth_grpc.server", *ports, "--store"]
        # Where the next start finds the store.
        self.store = folder / "store.db"
        # When the latest start began, on the monotonic clock.
        self.start_time = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        """The server's own address, without a proxy in between."""
        return f"wire://127.0.0.1:{self.port}" if self._wire else f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        self.start_time = time.monotonic()
        with self._log.open("w") as stderr:
            environment = {**os.environ, "PYTHONPATH": str(self._source)}
            command = [*self._command, str(self.store)]
            self._process = subprocess.Popen(command, stderr=stderr, cwd=self._source, env=environment)
        deadline = time.monotonic() + _START_LIMIT
        while "listening on" not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start: {self._log.read_text()}")
            time.sleep(0.02)

    def send_signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        assert self._process is not None  # noqa: S101
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for the server's end, and return its exit code."""
        assert self._process is not None  # noqa: S101
        return self._process.wait(60)

    def end(self) -> None:
        """End the server, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self.send_signal(signal.SIGTERM)
            self.wait()

    def restart(self, number: signal.Signals) -> None:
        """End the server by a signal, and start the next one."""
        self.send_signal(number)
        self.wait()
        self.start()

    def freeze(self, seconds: float) -> None:
        """Stop the server for a while, like a machine that hangs."""
        self.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.send_signal(signal.SIGCONT)


class FaultyProxy:
    """Forwards connections to a port on loopback. On demand it resets them, between chunks or within one."""

    def __init__(self, port: int, dice: random.Random) -> None:
        self._port = port
        self._dice = dice
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._truncate = threading.Event()
        self._is_shut = False
        self.delay = 0.0
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """The address to which clients connect."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def reset(self) -> None:
        """Cut every connection at once."""
        with self._lock:
            for one in self._open:
                _reset(one)

    def truncate(self) -> None:
        """Forward a part of the next chunk, then cut its connection."""
        self._truncate.set()

    def shut(self) -> None:
        """Cut every connection, and each new one at once, until `open` is called."""
        self._is_shut = True
        self.reset()

    def open(self) -> None:
        """Forward connections again."""
        self._is_shut = False

    def close(self) -> None:
        """Accept no more connections, and cut all open ones."""
        self._listening.close()
        self.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._is_shut:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_READ_SIZE):
                if self.delay:
                    time.sleep(self.delay * self._dice.random())
                if self._truncate.is_set():
                    self._truncate.clear()
                    sink.sendall(data[: len(data) // 2])
                    break
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        for one in (source, sink):
            _reset(one)
        # The sink is the source of the other direction, which closes it.
        source.close()


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.shutdown(socket.SHUT_RDWR)


def faults(
    kind: str, server: Server, proxy: FaultyProxy, dice: random.Random, restore: Callable[[], None]
) -> dict[str, Callable[[], None]]:
    """Return the faults of a kind of run: kill, term, stop, reset, restore, or mixed (any of them)."""

    def delayed() -> None:
        proxy.delay = 0.05
        time.sleep(0.3 * dice.random())
        proxy.delay = 0.0

    all_kinds: dict[str, dict[str, Callable[[], None]]] = {
        "kill": {"kill": lambda: server.restart(signal.SIGKILL)},
        "term": {"term": lambda: server.restart(signal.SIGTERM)},
        "stop": {"stop": lambda: server.freeze(0.2 + dice.random())},
        "restore": {"restore": restore},
        "reset": {"reset": proxy.reset, "truncate": proxy.truncate, "delay": delayed},
    }
    if kind == "mixed":
        return {name: fault for named in all_kinds.values() for name, fault in named.items()}
    return all_kinds[kind]
