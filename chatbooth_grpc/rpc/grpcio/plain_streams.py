"""Serves streams by grpcio's public API: a thread waits for each message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any

import grpc

from chatbooth_grpc.live.unread import Unread


class PlainStream:
    """A call's responses, as `ResponseStream` describes them. The call's own thread yields them to gRPC."""

    def __init__(self, context: Any) -> None:
        # It guards all attributes below. No thread calls other code while it holds the lock.
        self.lock = threading.Condition()
        self._message: bytes | None = None
        # The callback for the moment when gRPC has taken the last message.
        self._taken: Callable[[], None] | None = None
        # Set by the end of the call, with the last message if there is one.
        self._end: tuple[bytes | None] | None = None
        self._is_over = False
        if not context.add_callback(self._over):
            self._over()

    @property
    def is_taken(self) -> bool:
        return self._taken is None

    def push(self, message: bytes, taken: Callable[[], None]) -> bool:
        with self.lock:
            if self._is_over or self._end is not None:
                return False
            self._message, self._taken = message, taken
            self.lock.notify_all()
        return True

    def finish(self, message: bytes | None) -> None:
        with self.lock:
            self._end = (message,)
            self.lock.notify_all()

    def written(self) -> Iterator[bytes]:
        """Yield each message that is written, until the call ends. gRPC asks for the next one when one is taken."""
        while (message := self._next()) is not None:
            yield message
            self._call_taken()
        if self._end is not None and self._end[0] is not None:
            yield self._end[0]

    def _next(self) -> bytes | None:
        """Wait for a message and return it. None means that no more come."""
        with self.lock:
            self.lock.wait_for(lambda: self._message is not None or self._end is not None or self._is_over)
            message, self._message = self._message, None
            return message

    def _call_taken(self) -> None:
        with self.lock:
            taken, self._taken = self._taken, None
        if taken is not None:
            taken()

    def _over(self) -> None:
        """Wake the call's thread. gRPC calls this on its event thread when the call is over."""
        with self.lock:
            self._is_over = True
            self._message = None
            self.lock.notify_all()
        self._call_taken()


class PlainCall:
    """Both directions of a call, as `StreamCall` describes them."""

    def __init__(
        self,
        requests: Iterator[Any],
        context: Any,
        responses: PlainStream,
        *,
        threads: Executor,
        serializer: Callable[[Any], bytes],
        pushes: Unread,
    ) -> None:
        """`threads` lends a thread that waits for each request. `pushes` holds each message until it is taken."""
        self._requests = requests
        self._context = context
        self._responses = responses
        self._threads = threads
        self._serializer = serializer
        self._pushes = pushes

    def receive(self, received: Callable[[Any], None]) -> None:
        self._threads.submit(lambda: received(self._next_request()))

    def push(self, response: Any, taken: Callable[[], None]) -> bool:
        message = self._serializer(response)
        held = self._pushes.hold(len(message), (), self._context.cancel)

        def release() -> None:
            self._pushes.release(held)
            taken()

        stands = self._responses.push(message, release)
        if not stands:
            self._pushes.release(held)
        return stands

    def _next_request(self) -> Any:
        """Wait for the next request and return it. None means that no more come, or the call is over."""
        try:
            return next(self._requests, None)
        except grpc.RpcError:
            return None
