"""A transport that is made at the first call, because making it may need the network."""

from __future__ import annotations

import threading
from collections.abc import Callable

from chatbooth_grpc.booth.actions import Reply, Request, UnaryAction
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.client.library.transport import EventStream, SendStream, Transport


class LazyTransport:
    """A Transport that hands all calls to another one. If making that one fails, the next call tries again."""

    def __init__(self, make: Callable[[], Transport], server: str) -> None:
        """`make` may raise ChatboothError. `server` is the address for the errors."""
        self._make = make
        self._server = server
        self._lock = threading.Lock()
        self._made: Transport | None = None
        self._is_closed = False

    def call(self, action: UnaryAction[Request, Reply], token: bytes, request: Request, timeout: float) -> Reply:
        """Perform a unary action."""
        return self._transport().call(action, token, request, timeout)

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        """Store a message in its recipient's mailbox."""
        return self._transport().send(token, message, timeout=timeout)

    def send_stream(self, token: bytes) -> SendStream:
        """Open a stream of batches."""
        return self._transport().send_stream(token)

    def listen(self, token: bytes, after: int | None) -> EventStream:
        """Open a live stream."""
        return self._transport().listen(token, after)

    def close(self) -> None:
        """Close the connection."""
        self._is_closed = True
        if self._made is not None:
            self._made.close()

    def _transport(self) -> Transport:
        with self._lock:
            if self._is_closed:
                raise ServerUnreachable(self._server)
            if self._made is None:
                self._made = self._make()
                # Another thread may have closed this transport meanwhile.
                if self._is_closed:
                    self._made.close()
            return self._made
