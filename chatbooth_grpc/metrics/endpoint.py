"""The HTTP listener that answers Prometheus's scrapes."""

from __future__ import annotations

import logging
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from chatbooth_grpc.addresses import Host, bind

PATH = "/metrics"

SCRAPES_AT_ONCE = 4
"""How many scrapes are answered at once. Further connections are closed without an answer."""

_PATIENCE = 5.0
"""How many seconds a client may take to send its next bytes, or to take those of the answer."""

_log = logging.getLogger(__name__)


class MetricsEndpoint:
    """Answers GET /metrics on each address of a host, with a few threads that no other work needs."""

    def __init__(self, host: Host, port: int, registry: CollectorRegistry) -> None:
        self._host = host
        self._port = port
        self._registry = registry
        self._free = threading.BoundedSemaphore(SCRAPES_AT_ONCE)
        self._servers: list[_Server] = []

    def start(self) -> str:
        """Listen and answer. Return the address, HOST:PORT. Raises ListenError."""
        sockets = bind(self._host, self._port)
        for bound in sockets:
            bound.listen()
        self._servers = [_Server(bound, self._registry, self._free) for bound in sockets]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        return self._host.text(sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server(HTTPServer):
    def __init__(self, listening: socket.socket, registry: CollectorRegistry, free: threading.BoundedSemaphore) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        # The base class has made a socket of IPv4 that is not bound.
        self.socket.close()
        self.socket = listening
        self.registry = registry
        self._free = free

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own, so that a slow client keeps no other away."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        scrape = threading.Thread(
            target=self._answer, args=(request, client_address), name="metrics-scrape", daemon=True
        )
        try:
            scrape.start()
        except RuntimeError:
            # The system allows no more threads.
            self._free.release()
            self.shutdown_request(request)

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            # The client has gone, or took too long.
            pass
        except Exception:  # noqa: BLE001  # a bug ends one scrape
            _log.exception("a scrape failed")
        finally:
            self.shutdown_request(request)
            self._free.release()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE
    server_version = "chatbooth"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with all metrics, in the format that the client asks for."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND, f"The metrics are at {PATH}")
            return
        encode, content_type = choose_encoder(self.headers.get("Accept") or "")
        body = encode(self.server.registry)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing: a scrape comes every few seconds."""
