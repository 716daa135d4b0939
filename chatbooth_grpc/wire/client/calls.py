"""A client's connection for calls. Many threads share it, and each wait has a deadline."""

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
    """The connection, the queue of calls that wait for a reply, and the thread that reads the replies.

    A call that reaches its deadline gives up, and its reply is dropped if it still comes. Nobody knows then why the
    server is silent, so the connection accepts no more calls. It ends when its last call no longer waits.

    `_write_lock` is held while a request is queued and written. `_lock` is held for the queue alone. So the reader
    never waits for a write when it hands out a reply. A write may itself wait until the server's replies are read.
    """

    def __init__(self, server: str, stream: ByteStream) -> None:
        self._server = server
        self._stream = stream
        self._write_lock = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: deque[Future[bytes]] = deque()
        # A reply that no call has asked for. The server refuses a new connection in this way.
        self._unasked: bytes | None = None
        self.is_over = False
        self._was_silent = True
        # Why the connection ended, once it has ended.
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
                # The reader still reads the bytes that have come, perhaps a refusal. Then it fails this call.
                self.close()
        finally:
            self._write_lock.release()
        try:
            return reply.result(time_left(deadline))
        except (FutureTimeoutError, DeadlineExceeded) as error:
            self._leave(reply)
            raise DeadlineExceeded from error

    def close(self) -> None:
        """End the connection. The calls that wait on it fail."""
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
        # No thread may write to the descriptor once it is closed: a new connection may have its number.
        with self._write_lock:
            self._stream.close()
        waiting_still = [reply for reply in waiting if reply.set_running_or_notify_cancel()]
        if waiting_still and self._was_silent and not failure.cause:
            failure = unreachable(self._server, foreign_greeting(self._server))
        for reply in waiting_still:
            reply.set_exception(failure)

    def _receive(self) -> ServerUnreachable:
        """Hand out frames until the connection ends. Return why it ended."""
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
        elif frame.action == actions.PING:
            # A server that sends a ping also reads, so a write that holds the lock will end soon.
            with self._write_lock:
                answer_ping(self._stream, frame)


def time_left(deadline: float) -> float:
    """Return the seconds until the deadline. Raises DeadlineExceeded if it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded
    return left


def acquire_by(lock: threading.Lock, deadline: float) -> None:
    """Acquire a lock, and wait for it until the deadline at most. Raises DeadlineExceeded."""
    if not lock.acquire(timeout=time_left(deadline)):
        raise DeadlineExceeded
