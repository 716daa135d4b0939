"""The client's connections: made to a server by name, written to by a deadline, asked whether anyone is there."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from contextlib import closing

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.wire.client.failures import unreachable
from chatbooth_grpc.wire.encoding import pinging
from chatbooth_grpc.wire.encoding.frames import VERSION, Frame, UnknownVersion, encode_request
from chatbooth_grpc.wire.streams.byte_stream import ByteStream
from chatbooth_grpc.wire.streams.plain_stream import PlainStream

OpenStream = Callable[[socket.socket], ByteStream]
"""Makes the stream of a connected socket. It may wait for the server for as long as the socket's timeout says."""

_GREETING_LIMIT = 0.3
_PING_LIMIT = 10.0  # seconds that writing a ping may take


def connect(server: str, timeout: float, open_stream: OpenStream = PlainStream) -> ByteStream:
    """Return a connection to `HOST:PORT` that waits for ever to receive. Raises ServerUnreachable."""
    host, _, port = server.rpartition(":")
    try:
        connected = socket.create_connection((host.strip("[]"), int(port)), timeout)
    except (OSError, UnicodeError) as error:  # Python's own check of a name raises UnicodeError
        raise unreachable(server, error) from error
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = open_stream(connected)
    except OSError as error:
        connected.close()
        raise unreachable(server, error) from error
    stream.set_timeout(None)
    return stream


def foreign_greeting(server: str) -> UnknownVersion | None:
    """Return the error that a server's first byte stands for; None if it sends none, or one of this protocol.

    Servers of other protocols, gRPC's too, speak first. They end a connection that begins with a request of this one,
    perhaps before their words are read.
    """
    try:
        with closing(connect(server, _GREETING_LIMIT)) as stream:
            stream.set_timeout(_GREETING_LIMIT)
            first = stream.receive(1)
    except (OSError, ServerUnreachable):
        return None
    return UnknownVersion(first[0]) if first and first[0] != VERSION else None


def send_all(stream: ByteStream, data: bytes, deadline: float) -> None:
    """Write all of it, by the deadline at the latest. Raises OSError: the connection is of no more use."""
    sent = stream.send_now(data)
    if sent < len(data):
        _send_rest(stream, memoryview(data)[sent:], deadline)


def _send_rest(stream: ByteStream, rest: memoryview, deadline: float) -> None:
    writable = select.poll()
    writable.register(stream, select.POLLOUT)
    while rest:
        if not writable.poll(1_000 * max(0.0, deadline - time.monotonic())):
            raise BlockingIOError("the server takes nothing")
        rest = rest[stream.send_now(rest) :]


def answer_ping(stream: ByteStream, frame: Frame) -> None:
    """Answer a ping of the server's; its answer to ours needed only to arrive."""
    kind, payload = pinging.decode_ping(frame.body)
    if kind == pinging.ASK:
        send_ping(stream, pinging.ANSWER, payload)


def send_ping(stream: ByteStream, kind: int, payload: bytes = b"") -> None:
    """Write a ping, or the answer to one. Raises OSError."""
    ping = encode_request(actions.PING, pinging.encode_ping(kind, payload))
    send_all(stream, ping, time.monotonic() + _PING_LIMIT)
