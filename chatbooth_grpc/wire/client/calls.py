"""A connection of the client's for calls, which many threads share; every wait has the call's deadline."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import DeadlineExceeded, ServerUnreachable
from chatbooth_grpc.booth.model import MAX_TEXT_SIZE
from chatbooth_grpc.wire.client.connecting import answer_ping, foreign_greeting, send_all
from chatbooth_grpc.wire.client.failures import unreachable
from chatbooth_grpc.wire.encoding.frames import Frame, FrameDecoder, FrameError
from chatbooth_grpc.wire.encoding.primitives import BodyError
from chatbooth_grpc.wire.streams.byte_stream import ByteStream

MAX_BODY = MAX_TEXT_SIZE + (2 << 20)
READ_SIZE = 64 << 10


class Calls:
    """A connection for calls: who waits for a reply, in order, and the thread that reads.

    A call that waits no longer leaves its place: its reply, if it comes, is dropped. The connection then takes no more
    calls, since what is behind the silence is not known, and ends with the last that waits.

    `_write_lock` is held while a request is queued and written, `_lock` for the queue alone: to hand out a reply the
    reader waits for no write, which may itself wait for the server to be read from.
    """

    def __init__(self, server: str, stream: ByteStream) -> None:
        self._server = server
        self._stream = stream
        self._write_lock = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: deque[Future[bytes]] = deque()
        self._unasked: bytes | None = None  # a reply that nobody had asked for: a refusal at the door
        self.is_over = False
        self._was_silent = True
        # Why the connection ended, when it has.
        self._failure = unreachable(server)
        threading.Thread(target=self._read, name="wire-reader", daemon=True).start()

    def ask(self, request: bytes, deadline: float) -> bytes:
        """Send a request and return its reply's body. Raises ServerUnreachable, DeadlineExceeded."""
        acquire_by(self._write_lock, deadline)
        try:
            reply = self._queue()
            try:
                send_all(self._stream, request, deadline)
            except OSError:
                self.close()  # what has come by now is still read, perhaps a refusal; then the reader fails the call
        finally:
            self._write_lock.release()
        try:
            return reply.result(time_left(deadline))
        except (FutureTimeoutError, DeadlineExceeded) as error:
            self._leave(reply)
            raise DeadlineExceeded from error

    def close(self) -> None:
        """End the connection; what waits on it fails."""
        self.is_over = True
        self._stream.cut_off()

    def _queue(self) -> Future[bytes]:
        reply: Future[bytes] = Future()
        with self._lock:
            if self._unasked is not None:
                reply.set_result(self._unasked)
            elif self.is_over:
                raise replace(self._failure)
            else:
                self._waiting.append(reply)
        return reply

    def _leave(self, reply: Future[bytes]) -> None:
        with self._lock:
            self.is_over = True
            reply.cancel()
            self._end_if_forsaken()

    def _end_if_forsaken(self) -> None:
        if self.is_over and all(reply.cancelled() for reply in self._waiting):
            self._stream.cut_off()

    def _read(self) -> None:
        failure = self._receive()
        with self._lock:
            self.is_over = True
            self._failure = failure
            waiting, self._waiting = self._waiting, deque()
        self._stream.cut_off()
        with self._write_lock:  # nobody writes to what may be another's by then
            self._stream.close()
        waiting_still = [reply for reply in waiting if reply.set_running_or_notify_cancel()]
        if waiting_still and self._was_silent and not failure.cause:
            failure = unreachable(self._server, foreign_greeting(self._server))
        for reply in waiting_still:
            reply.set_exception(failure)

    def _receive(self) -> ServerUnreachable:
        """Hand out frames until the connection ends; return why it ended."""
        decoder = FrameDecoder(MAX_BODY, from_client=False)
        try:
            while data := self._stream.receive(READ_SIZE):
                self._was_silent = False
                for frame in decoder.feed(data):
                    self._handle(frame)
        except (OSError, FrameError, BodyError) as error:
            return unreachable(self._server, error)
        return unreachable(self._server)

    def _handle(self, frame: Frame) -> None:
        if frame.action == actions.RESPONSE:
            with self._lock:
                reply = self._waiting.popleft() if self._waiting else None
                if reply is None:
                    self._unasked = frame.body
                self._end_if_forsaken()
            if reply is not None and reply.set_running_or_notify_cancel():
                reply.set_result(frame.body)
        elif frame.action == actions.PING:  # of a server that reads, so the lock is free soon
            with self._write_lock:
                answer_ping(self._stream, frame)


def time_left(deadline: float) -> float:
    """Return the seconds until the deadline. Raises DeadlineExceeded: there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded
    return left


def acquire_by(lock: threading.Lock, deadline: float) -> None:
    """Acquire a lock, waiting for it until the deadline. Raises DeadlineExceeded."""
    if not lock.acquire(timeout=time_left(deadline)):
        raise DeadlineExceeded
