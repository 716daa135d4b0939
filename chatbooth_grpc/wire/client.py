"""The wire protocol's client side: a Transport over one connection for calls, and one for each live stream.

A thread reads the connection: it hands replies, which come in order, to the calls that wait, and answers the server's
pings. So calls of many threads share the connection, pipelined. A connection that breaks fails what waits on it; the
next call opens another.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from chatbooth_grpc.booth.errors import DeadlineExceeded, Internal, ServerUnreachable
from chatbooth_grpc.booth.model import MAX_TEXT_SIZE, Delivery, Event, OutgoingMessage, Page, Receipt, Removal, Session
from chatbooth_grpc.wire import bodies, frames
from chatbooth_grpc.wire.codes import OK, decode_error
from chatbooth_grpc.wire.encoding import BodyError
from chatbooth_grpc.wire.frames import Frame, FrameDecoder, FrameError, encode_request

MAX_BODY = MAX_TEXT_SIZE + (2 << 20)
CONNECT_TIMEOUT = 10.0

KEEPALIVE_TIME = 20.0
KEEPALIVE_TIMEOUT = 10.0
"""A live stream that is silent for this long, in seconds, is asked; one that does not answer for that long is lost."""

_SEND_TIMEOUT = struct.pack("ll", 30, 0)  # a timeval: how long a write may be blocked
_READ_SIZE = 64 << 10

T = TypeVar("T")


class WireTransport:
    """A Transport to the wire server at a normal address, `HOST:PORT`; it connects at the first call."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._calls: _Calls | None = None

    def sign_up(self, username: str, password: str, *, timeout: float) -> Session:
        """Make an account and its first session."""
        body = bodies.encode_credentials(username, password)
        return self._call(frames.SIGN_UP, body, b"", bodies.decode_session, timeout)

    def log_in(self, username: str, password: str, *, timeout: float) -> Session:
        """Open another session of an account."""
        body = bodies.encode_credentials(username, password)
        return self._call(frames.LOG_IN, body, b"", bodies.decode_session, timeout)

    def log_out(self, token: bytes, *, timeout: float) -> None:
        """End the session."""
        self._call(frames.LOG_OUT, b"", token, bodies.decode_empty, timeout)

    def change_password(self, token: bytes, old_password: str, new_password: str, *, timeout: float) -> int:
        """Change the password; return how many other sessions that ended."""
        body = bodies.encode_credentials(old_password, new_password)
        return self._call(frames.CHANGE_PASSWORD, body, token, bodies.decode_number, timeout)

    def list(self, token: bytes, pattern: str, prefix: str, page_size: int, page_token: str, *, timeout: float) -> Page:
        """Return one page of usernames."""
        body = bodies.encode_list_request(bodies.ListRequest(pattern, prefix, page_size, page_token))
        return self._call(frames.LIST, body, token, bodies.decode_page, timeout)

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        """Store a message in its recipient's mailbox."""
        return self._call(frames.SEND, bodies.encode_outgoing(message), token, bodies.decode_receipt, timeout)

    def deliver(
        self, token: bytes, acknowledge_through: int, after: int | None, max_messages: int, timeout: float
    ) -> Delivery:
        """Acknowledge, then return the next messages."""
        body = bodies.encode_deliver_request(bodies.DeliverRequest(acknowledge_through, max_messages, after))
        return self._call(frames.DELIVER, body, token, bodies.decode_delivery, timeout)

    def listen(self, token: bytes, after: int | None) -> WireEventStream:
        """Open a live stream, on a connection of its own."""
        return WireEventStream(self._server, token, after)

    def acknowledge(self, token: bytes, through: int, *, timeout: float) -> None:
        """Advance the session's cursor."""
        self._call(frames.ACKNOWLEDGE, bodies.encode_number(through), token, bodies.decode_empty, timeout)

    def delete(self, token: bytes, password: str, *, timeout: float) -> Removal:
        """Delete the account."""
        return self._call(frames.DELETE, bodies.encode_password(password), token, bodies.decode_removal, timeout)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            calls, self._calls = self._calls, None
        if calls is not None:
            calls.close()

    def _call(self, action: int, body: bytes, token: bytes, decode: Callable[[bytes], T], timeout: float) -> T:
        reply = self._connection(timeout).ask(encode_request(action, body, token), timeout)
        try:
            if reply[:1] != bytes((OK,)):
                raise decode_error(reply)
            return decode(reply[1:])
        except BodyError as error:
            raise Internal from error  # it speaks the protocol, but not this reply

    def _connection(self, timeout: float) -> _Calls:
        with self._lock:
            if self._calls is None or self._calls.is_over:
                self._calls = _Calls(self._server, connect(self._server, min(timeout, CONNECT_TIMEOUT)))
            return self._calls


class _Calls:
    """A connection for calls: who waits for a reply, in order, and the thread that reads.

    A call that waits no longer leaves its place: its reply, if it comes, is dropped. The connection then takes no more
    calls, since what is behind the silence is not known.
    """

    def __init__(self, server: str, connected: socket.socket) -> None:
        self._server = server
        self._socket = connected
        self._lock = threading.Lock()
        self._waiting: deque[Future[bytes]] = deque()
        self._unasked: bytes | None = None  # a reply that nobody had asked for: a refusal at the door
        self.is_over = False
        threading.Thread(target=self._read, name="wire-reader", daemon=True).start()

    def ask(self, request: bytes, timeout: float) -> bytes:
        """Send a request and return its reply's body. Raises ServerUnreachable, DeadlineExceeded."""
        reply: Future[bytes] = Future()
        with self._lock:
            if self._unasked is not None:
                return self._unasked
            if self.is_over:
                raise ServerUnreachable(self._server)
            self._waiting.append(reply)
            try:
                self._socket.sendall(request)
            except OSError as error:
                self.close()
                raise ServerUnreachable(self._server) from error
        try:
            return reply.result(timeout)
        except FutureTimeoutError as error:
            self.is_over = True
            raise DeadlineExceeded from error

    def close(self) -> None:
        """End the connection; what waits on it fails."""
        self.is_over = True
        shut_down(self._socket)

    def _read(self) -> None:
        decoder = FrameDecoder(MAX_BODY, from_client=False)
        try:
            while data := self._socket.recv(_READ_SIZE):
                for frame in decoder.feed(data):
                    self._handle(frame)
        except (OSError, FrameError, BodyError):
            pass  # whatever ended it, those who wait are told below
        finally:
            with self._lock:
                self.is_over = True
                waiting, self._waiting = self._waiting, deque()
                self._socket.close()
            for reply in waiting:
                reply.set_exception(ServerUnreachable(self._server))

    def _handle(self, frame: Frame) -> None:
        if frame.action == frames.RESPONSE:
            with self._lock:
                reply = self._waiting.popleft() if self._waiting else None
                if reply is None:
                    self._unasked = frame.body
            if reply is not None:
                reply.set_result(frame.body)
        elif frame.action == frames.PING:
            with self._lock:
                answer_ping(self._socket, frame)


class WireEventStream:
    """An EventStream on a connection of its own, which it opens when it is first read."""

    def __init__(self, server: str, token: bytes, after: int | None) -> None:
        self._server = server
        self._request = encode_request(frames.LISTEN, bodies.encode_listen_request(after), token)
        self._socket: socket.socket | None = None
        self._cancelled = False

    def __iter__(self) -> Iterator[Event]:
        """Read the stream."""
        with connect(self._server, CONNECT_TIMEOUT) as connected:
            self._socket = connected
            if self._cancelled:
                return
            try:
                connected.sendall(self._request)
                yield from self._events(connected)
            except (OSError, FrameError, BodyError) as error:
                raise ServerUnreachable(self._server) from error
        raise ServerUnreachable(self._server)

    def cancel(self) -> None:
        """End the connection."""
        self._cancelled = True
        if self._socket is not None:
            shut_down(self._socket)

    def _events(self, connected: socket.socket) -> Iterator[Event]:
        decoder = FrameDecoder(MAX_BODY, from_client=False)
        while data := receive_or_ask(connected):
            for frame in decoder.feed(data):
                if frame.action == frames.PING:
                    answer_ping(connected, frame)
                elif frame.action == frames.RESPONSE and frame.body[:1] != bytes((OK,)):
                    raise decode_error(frame.body)
                elif frame.action == frames.MESSAGE:
                    push = bodies.decode_push(frame.body)
                    if isinstance(push, bodies.Ended):
                        yield push.end
                        raise push.error
                    if push is not None:
                        yield push


def connect(server: str, timeout: float) -> socket.socket:
    """Return a connection to `HOST:PORT`, in blocking mode. Raises ServerUnreachable."""
    host, _, port = server.rpartition(":")
    try:
        connected = socket.create_connection((host.strip("[]"), int(port)), timeout)
    except OSError as error:
        raise ServerUnreachable(server) from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SEND_TIMEOUT)
    connected.settimeout(None)
    return connected


def receive_or_ask(connected: socket.socket) -> bytes:
    """Wait for bytes; after a silence ask the server whether it is there. Raises OSError: it does not answer."""
    connected.settimeout(KEEPALIVE_TIME)
    try:
        return connected.recv(_READ_SIZE)
    except TimeoutError:
        connected.sendall(encode_request(frames.PING, bodies.encode_ping(bodies.ASK)))
    connected.settimeout(KEEPALIVE_TIMEOUT)
    return connected.recv(_READ_SIZE)


def answer_ping(connected: socket.socket, frame: Frame) -> None:
    """Answer a ping of the server's; its answer to ours needed only to arrive."""
    kind, payload = bodies.decode_ping(frame.body)
    if kind == bodies.ASK:
        connected.sendall(encode_request(frames.PING, bodies.encode_ping(bodies.ANSWER, payload)))


def shut_down(connected: socket.socket) -> None:
    """End a connection at once, from any thread."""
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
