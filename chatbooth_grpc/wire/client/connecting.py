"""Connects a client, writes to a connection by a deadline, and sends pings."""

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
"""Makes the stream of a connected socket. It may wait for the server, up to the socket's timeout."""

UNIX = "unix:"
"""How the address of a socket of this machine begins. Its path follows."""

_GREETING_LIMIT = 0.3
"""How long to wait for the first byte of a server of another protocol, in seconds."""

_PING_LIMIT = 10.0
"""How long writing a ping may take, in seconds."""


def connect(server: str, timeout: float, open_stream: OpenStream = PlainStream) -> ByteStream:
    """Return a connection to `HOST:PORT` or `unix:PATH`. Its `receive` waits without a limit.

    Raises ServerUnreachable, and the errors of `open_stream` that are no OSError.
    """
    try:
        connected = _open_socket(server, timeout)
    except (OSError, UnicodeError) as error:
        # Python raises UnicodeError for a name that is no host's.
        raise unreachable(server, error) from error
    try:
        stream = open_stream(connected)
    except OSError as error:
        connected.close()
        raise unreachable(server, error) from error
    except BaseException:
        connected.close()
        raise
    stream.set_timeout(None)
    return stream


def _open_socket(server: str, timeout: float) -> socket.socket:
    if server.startswith(UNIX):
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.settimeout(timeout)
            connected.connect(server.removeprefix(UNIX))
        except OSError:
            connected.close()
            raise
        return connected
    host, _, port = server.rpartition(":")
    connected = socket.create_connection((host.strip("[]"), int(port)), timeout)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def foreign_greeting(server: str) -> UnknownVersion | None:
    """Return the error that a server's first byte stands for, or None.

    None means that the server sends nothing first, or a byte of this protocol. Servers of other protocols, such as
    gRPC, send first. They end a connection that begins with a request of this protocol, perhaps before the client has
    read their bytes. So this makes another connection, and sends nothing.
    """
    try:
        with closing(connect(server, _GREETING_LIMIT)) as stream:
            stream.set_timeout(_GREETING_LIMIT)
            first = stream.receive(1)
    except (OSError, ServerUnreachable):
        return None
    return UnknownVersion(first[0]) if first and first[0] != VERSION else None


def send_all(stream: ByteStream, data: bytes, deadline: float) -> None:
    """Write all bytes, by the deadline at the latest. After an OSError the connection cannot be used any more."""
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
    """Answer a ping of the server. If the frame is an answer to the client's own ping, do nothing."""
    kind, payload = pinging.decode_ping(frame.body)
    if kind == pinging.ASK:
        send_ping(stream, pinging.ANSWER, payload)


def send_ping(stream: ByteStream, kind: int, payload: bytes = b"") -> None:
    """Write a ping, or the answer to a ping. Raises OSError."""
    ping = encode_request(actions.PING, pinging.encode_ping(kind, payload))
    send_all(stream, ping, time.monotonic() + _PING_LIMIT)
