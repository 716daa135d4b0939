"""Refuses a client over a limit, with an answer that also an encrypted client can read."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from functools import partial

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.wire.encoding.frames import encode_frame
from chatbooth_grpc.wire.server.dispatch import refused
from chatbooth_grpc.wire.streams.byte_stream import ByteStream

_AT_ONCE = 16
"""How many encrypted connections are refused at once. Those beyond it are closed without an answer."""

DELAY = 1.0
"""How many seconds a client that connects too often waits for its refusal. So it cannot try again at once."""

_MOST_DELAYED = 512
"""How many clients wait for their refusals at once."""

_READ_SIZE = 4_096


class Refusals:
    """Answers clients that are refused, and closes their streams.

    An encrypted answer needs a handshake first, and the client may take its time. So another thread does it, and the
    thread that accepts connections continues.
    """

    def __init__(self, limit: float) -> None:
        """A refusal takes `limit` seconds at most."""
        self._limit = limit
        self._lock = threading.Lock()
        # The streams that a thread answers, each with its start in monotonic seconds.
        self._answering: dict[ByteStream, float] = {}
        # The refusals that are delayed, each with its time in monotonic seconds. The oldest comes first.
        self._delayed: deque[tuple[float, ByteStream, ChatboothError, str]] = deque()

    @property
    def delayed(self) -> int:
        """How many clients wait for their refusals."""
        return len(self._delayed)

    def refuse_later(self, stream: ByteStream, error: ChatboothError, peer: str = "") -> None:
        """Refuse a client after a delay. If many clients wait already, the oldest of them gets its answer now."""
        self._delayed.append((time.monotonic() + DELAY, stream, error, peer))
        if len(self._delayed) > _MOST_DELAYED:
            self.answer_oldest()

    def answer_oldest(self) -> None:
        """Answer the client that has waited longest, if any waits. Any thread may call this."""
        with contextlib.suppress(IndexError):
            _, stream, error, peer = self._delayed.popleft()
            self.refuse(stream, error, peer)

    def answer_due(self, now: float) -> None:
        """Answer the clients whose delay has passed. `now` is in monotonic seconds."""
        due = sum(time_of_answer <= now for time_of_answer, *_ in list(self._delayed))
        for _ in range(due):
            self.answer_oldest()

    def refuse(self, stream: ByteStream, error: ChatboothError, peer: str = "") -> None:
        """Say which limit is reached, and end the connection. `peer` is the address for the log. This never blocks."""
        answer = encode_frame(actions.RESPONSE, refused(error, "CONNECT", partial(str, peer)))
        if stream.is_ready:
            # An OSError means that the client has gone.
            with contextlib.closing(stream), contextlib.suppress(OSError):
                stream.send_now(answer)
                stream.end()
        elif self._begin(stream):
            thread = threading.Thread(target=self._answer, args=(stream, answer), name="wire-refusal", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The system allows no more threads.
                self._finish(stream)
        else:
            stream.close()

    def cut_off_late(self, now: float) -> None:
        """End the refusals that take too long. `now` is in monotonic seconds."""
        with self._lock:
            for stream, since in self._answering.items():
                if now - since > self._limit:
                    stream.cut_off()

    def stop(self) -> None:
        """End all refusals at once."""
        self.answer_due(math.inf)
        self.cut_off_late(time.monotonic() + self._limit + 1)

    def _begin(self, stream: ByteStream) -> bool:
        with self._lock:
            if len(self._answering) >= _AT_ONCE:
                return False
            self._answering[stream] = time.monotonic()
            return True

    def _answer(self, stream: ByteStream, answer: bytes) -> None:
        try:
            stream.shake_hands()
            stream.send_now(answer)
            stream.end()
            # If the server closed the socket while a request comes, the client could lose the answer.
            while stream.receive(_READ_SIZE):
                pass
        except OSError:
            # The client has gone, or took too long.
            pass
        finally:
            self._finish(stream)

    def _finish(self, stream: ByteStream) -> None:
        # No thread may cut off the stream after it is closed, because a new connection may have its descriptor.
        with self._lock:
            del self._answering[stream]
            stream.close()
