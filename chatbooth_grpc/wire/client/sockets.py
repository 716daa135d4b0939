"""The client's sockets: connected, written to by a deadline, asked whether anyone is there, ended."""

from __future__ import annotations

import select
import socket
import time

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.wire.client.failures import unreachable
from chatbooth_grpc.wire.encoding import pinging
from chatbooth_grpc.wire.encoding.frames import VERSION, Frame, UnknownVersion, encode_request

_GREETING_LIMIT = 0.3
_PING_LIMIT = 10.0  # seconds that writing a ping may take


def connect(server: str, timeout: float) -> socket.socket:
    """Return a connection to `HOST:PORT`, in blocking mode. Raises ServerUnreachable."""
    host, _, port = server.rpartition(":")
    try:
        connected = socket.create_connection((host.strip("[]"), int(port)), timeout)
    except (OSError, UnicodeError) as error:  # Python's own check of a name raises UnicodeError
        raise unreachable(server, error) from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.settimeout(None)
    return connected


def foreign_greeting(server: str) -> UnknownVersion | None:
    """Return the error that a server's first byte stands for; None if it sends none, or one of this protocol.

    Servers of other protocols, gRPC's too, speak first. They end a connection that begins with a request of this one,
    perhaps before their words are read.
    """
    try:
        with connect(server, _GREETING_LIMIT) as connected:
            connected.settimeout(_GREETING_LIMIT)
            first = connected.recv(1)
    except (OSError, ServerUnreachable):
        return None
    return UnknownVersion(first[0]) if first and first[0] != VERSION else None


def send_all(connected: socket.socket, data: bytes, deadline: float) -> None:
    """Write all of it, by the deadline at the latest. Raises OSError: the connection is of no more use."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[connected.send(rest, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            writable = select.poll()
            writable.register(connected, select.POLLOUT)
            if not writable.poll(1_000 * max(0.0, deadline - time.monotonic())):
                raise


def answer_ping(connected: socket.socket, frame: Frame) -> None:
    """Answer a ping of the server's; its answer to ours needed only to arrive."""
    kind, payload = pinging.decode_ping(frame.body)
    if kind == pinging.ASK:
        send_ping(connected, pinging.ANSWER, payload)


def send_ping(connected: socket.socket, kind: int, payload: bytes = b"") -> None:
    """Write a ping, or the answer to one. Raises OSError."""
    ping = encode_request(actions.PING, pinging.encode_ping(kind, payload))
    send_all(connected, ping, time.monotonic() + _PING_LIMIT)


def shut_down(connected: socket.socket) -> None:
    """End a connection at once, from any thread."""
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
