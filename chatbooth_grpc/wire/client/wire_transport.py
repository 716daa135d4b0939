"""A client's Transport over the wire protocol."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import Reply, Request, UnaryAction
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    Internal,
    ServerUnreachable,
    SessionInvalid,
)
from chatbooth_grpc.booth.model import Event, OutgoingMessage, Receipt, UnknownEvent
from chatbooth_grpc.booth.repeating import PASSING
from chatbooth_grpc.wire.client.calls import MAX_BODY, READ_SIZE, Calls, acquire_by, time_left
from chatbooth_grpc.wire.client.connecting import OpenStream, answer_ping, connect, send_all, send_ping
from chatbooth_grpc.wire.client.failures import unreachable
from chatbooth_grpc.wire.encoding import pinging, pushes, sending
from chatbooth_grpc.wire.encoding.codec import Codec
from chatbooth_grpc.wire.encoding.codecs import CODECS
from chatbooth_grpc.wire.encoding.codes import OK, decode_error
from chatbooth_grpc.wire.encoding.frames import FrameDecoder, FrameError, encode_request
from chatbooth_grpc.wire.encoding.primitives import BodyError
from chatbooth_grpc.wire.streams.byte_stream import ByteStream
from chatbooth_grpc.wire.streams.plain_stream import PlainStream

CONNECT_TIMEOUT = 10.0

KEEPALIVE_TIME = 20.0
KEEPALIVE_TIMEOUT = 10.0
"""After a silence of KEEPALIVE_TIME a stream sends a ping. It fails if no byte comes within KEEPALIVE_TIMEOUT.

Both are in seconds.
"""


class WireTransport:
    """A Transport to the wire server at a normalized address, `HOST:PORT`. It connects at the first call.

    The calls of many threads share one connection, and are pipelined. If the connection breaks, the calls that wait on
    it fail, and the next call opens another one. Each live stream and each stream of SENDs has its own connection.
    Every wait has the call's deadline.
    """

    def __init__(self, server: str, open_stream: OpenStream = PlainStream) -> None:
        self._server = server
        self._open_stream = open_stream
        self._lock = threading.Lock()
        self._calls: Calls | None = None
        self._is_closed = False

    def call(self, action: UnaryAction[Request, Reply], token: bytes, request: Request, timeout: float) -> Reply:
        """Perform a unary action."""
        codec: Codec[Request, Reply] = CODECS[action]
        return self._call(codec, request, token, timeout)

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        """Store a message in its recipient's mailbox."""
        return self._call(sending.CODEC, message, token, timeout)

    def send_stream(self, token: bytes) -> WireSendStream:
        """Open a stream of batches on another connection."""
        if self._is_closed:
            raise ServerUnreachable(self._server)
        return WireSendStream(self._server, token, self._open_stream)

    def listen(self, token: bytes, after: int | None) -> WireEventStream:
        """Open a live stream on another connection."""
        if self._is_closed:
            raise ServerUnreachable(self._server)
        return WireEventStream(self._server, token, after, self._open_stream)

    def close(self) -> None:
        """Close the connection."""
        self._is_closed = True
        calls = self._calls
        if calls is not None:
            calls.close()

    def _call(self, codec: Codec[Request, Reply], request: Request, token: bytes, timeout: float) -> Reply:
        deadline = time.monotonic() + timeout
        frame = encode_request(codec.action, codec.encode_request(request), token)
        reply = self._connection(deadline).ask(frame, deadline)
        try:
            if reply[:1] != bytes((OK,)):
                raise decode_error(reply)
            return codec.decode_reply(reply[1:])
        except BodyError as error:
            # The server speaks the protocol, but its reply cannot be decoded.
            raise Internal from error

    def _connection(self, deadline: float) -> Calls:
        acquire_by(self._lock, deadline)
        try:
            if self._is_closed:
                raise ServerUnreachable(self._server)
            if self._calls is None or self._calls.is_over:
                stream = connect(self._server, min(time_left(deadline), CONNECT_TIMEOUT), self._open_stream)
                self._calls = Calls(self._server, stream)
                # Another thread may have closed the transport while this one connected.
                if self._is_closed:
                    self._calls.close()
            return self._calls
        finally:
            self._lock.release()


class WireEventStream:
    """An EventStream on its own connection, which it opens when it is first read."""

    def __init__(self, server: str, token: bytes, after: int | None, open_stream: OpenStream) -> None:
        self._server = server
        self._open_stream = open_stream
        self._request = encode_request(actions.LISTEN, pushes.encode_listen_request(after), token)
        self._stream: ByteStream | None = None
        self._cancelled = False

    def __iter__(self) -> Iterator[Event | UnknownEvent]:
        """Connect, and yield the events of the stream."""
        with closing(connect(self._server, CONNECT_TIMEOUT, self._open_stream)) as stream:
            self._stream = stream
            if self._cancelled:
                return
            try:
                send_all(stream, self._request, time.monotonic() + CONNECT_TIMEOUT)
                yield from self._events(stream)
            except (OSError, FrameError, BodyError) as error:
                raise unreachable(self._server, error) from error
        raise ServerUnreachable(self._server)

    def cancel(self) -> None:
        """End the connection."""
        self._cancelled = True
        if self._stream is not None:
            self._stream.cut_off()

    def _events(self, stream: ByteStream) -> Iterator[Event | UnknownEvent]:
        decoder = FrameDecoder(MAX_BODY, from_client=False)
        while data := receive_or_ask(stream):
            for frame in decoder.feed(data):
                if frame.action == actions.PING:
                    answer_ping(stream, frame)
                elif frame.action == actions.RESPONSE and frame.body[:1] != bytes((OK,)):
                    raise decode_error(frame.body)
                elif frame.action == actions.MESSAGE:
                    push = pushes.decode_push(frame.body)
                    if isinstance(push, pushes.Ended):
                        yield push.end
                        raise push.error
                    yield push


class WireSendStream:
    """A SendStream of pipelined SENDs on its own connection, which it opens for the first batch."""

    def __init__(self, server: str, token: bytes, open_stream: OpenStream) -> None:
        self._server = server
        self._open_stream = open_stream
        self._token = token
        self._stream: ByteStream | None = None
        # How many messages each batch in flight has.
        self._sizes: deque[int] = deque()
        self._decoder = FrameDecoder(MAX_BODY, from_client=False)
        self._replies: deque[bytes] = deque()

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send a batch."""
        bodies = [sending.encode_outgoing(message) for message in messages]
        requests = b"".join(encode_request(actions.SEND, body, self._token) for body in bodies)
        if self._stream is None:
            self._stream = connect(self._server, CONNECT_TIMEOUT, self._open_stream)
        self._sizes.append(len(messages))
        try:
            send_all(self._stream, requests, time.monotonic() + KEEPALIVE_TIME)
        except OSError as error:
            raise unreachable(self._server, error) from error

    def receive(self) -> list[Receipt | ChatboothError]:
        """Wait for the outcomes of the oldest batch in flight."""
        size = self._sizes.popleft()
        outcomes: list[Receipt | ChatboothError] = []
        try:
            while len(outcomes) < size:
                while not self._replies:
                    self._read()
                outcomes.append(_send_outcome(self._replies.popleft()))
        except (OSError, FrameError, BodyError) as error:
            raise unreachable(self._server, error) from error
        return outcomes

    def close(self) -> None:
        """End the connection."""
        if self._stream is not None:
            self._stream.close()

    def _read(self) -> None:
        assert self._stream is not None  # noqa: S101  # a batch was sent
        data = receive_or_ask(self._stream)
        if not data:
            raise ServerUnreachable(self._server)
        for frame in self._decoder.feed(data):
            if frame.action == actions.PING:
                answer_ping(self._stream, frame)
            elif frame.action == actions.RESPONSE:
                self._replies.append(frame.body)


def _send_outcome(reply: bytes) -> Receipt | ChatboothError:
    """Decode the reply to a SEND. Raises the errors that end the stream: a passing failure, the end of the session."""
    if reply[:1] == bytes((OK,)):
        return sending.decode_receipt(reply[1:])
    error = decode_error(reply)
    if isinstance(error, (*PASSING, SessionInvalid)):
        raise error
    return error


def receive_or_ask(stream: ByteStream) -> bytes:
    """Wait for bytes. After a silence, send the server a ping. Raises OSError if it does not answer."""
    stream.set_timeout(KEEPALIVE_TIME)
    try:
        return stream.receive(READ_SIZE)
    except TimeoutError:
        send_ping(stream, pinging.ASK)
    stream.set_timeout(KEEPALIVE_TIMEOUT)
    return stream.receive(READ_SIZE)
