"""Senders of one message at a time, which wait for the receipt: a class for each way."""

from __future__ import annotations

import socket
from typing import Protocol

from bench.performance import http2, raw_wire, unary_load
from bench.performance.floor_server import ECHO
from bench.performance.headers import CallFailed
from bench.performance.raw_wire import WireConnection
from bench.performance.sends import Sends
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.message_ids import new_message_id

SEND_MANY = "/chatbooth.v1.ChatService/SendMany"
# This has about the size of a send.
_ECHOED = b"x" * 100


class Sender(Protocol):
    """A connection that sends. It is prepared for a number of messages, and cannot send more."""

    def fileno(self) -> int:
        """Return the socket's descriptor, for a selector."""

    def send(self) -> None:
        """Send the next message."""

    def receive(self) -> int:
        """Wait for bytes. Return how many messages they answer."""


class WireSender:
    """SEND over the wire."""

    def __init__(self, address: str, token: bytes, recipient: str, messages: int) -> None:
        self._connection = WireConnection(address)
        sends = raw_wire.sends(recipient, token)
        self._requests = iter([sends.take(1) for _ in range(messages)])

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self) -> None:
        self._connection.send(next(self._requests))

    def receive(self) -> int:
        return len(self._connection.receive())


# The server refuses more open calls than this on a connection. gRPC's clients wait instead.
_MOST_OPEN = 100


class UnarySender:
    """Send over gRPC: a call for each message. Like gRPC's clients, it waits while too many calls are open."""

    def __init__(self, address: str, token: bytes, recipient: str, messages: int) -> None:
        self._connection = http2.Http2Connection(address)
        headers = http2.call_headers(address, unary_load.SEND, token)
        encoded = [unary_load.encode_send(recipient) for _ in range(messages)]
        self._size = len(http2.encode_message(encoded[0]))
        self._calls = iter(
            [http2.encode_call(2 * number + 1, headers, request) for number, request in enumerate(encoded)]
        )
        self._open = self._waiting = 0

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self) -> None:
        self._waiting += 1
        self._begin_calls()

    def receive(self) -> int:
        ended = sum(flags & http2.END_STREAM for _, flags, _, _ in self._connection.receive())
        self._open -= ended
        self._begin_calls()
        return ended

    def _begin_calls(self) -> None:
        while self._waiting and self._open < _MOST_OPEN:
            self._waiting -= 1
            self._open += 1
            self._connection.send(next(self._calls), self._size)


class _StreamSender:
    """One bidirectional stream, on which every message is answered by one."""

    _STREAM = 1

    def __init__(self, address: str, method: str, token: bytes | None, messages: list[bytes]) -> None:
        self._connection = http2.Http2Connection(address)
        self._connection.open_stream(self._STREAM, http2.call_headers(address, method, token))
        self._messages = iter(messages)
        self._reply = b""

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self) -> None:
        self._connection.send_message(self._STREAM, next(self._messages))

    def receive(self) -> int:
        for kind, flags, _, payload in self._connection.receive():
            if flags & http2.END_STREAM:
                raise CallFailed("the server has ended the stream")
            if kind == http2.DATA:
                self._reply += payload
        messages, self._reply = http2.cut_messages(self._reply)
        return len(messages)


class SendManySender(_StreamSender):
    """SendMany over gRPC: a request of one message at a time, on one stream."""

    def __init__(self, address: str, token: bytes, recipient: str, messages: int) -> None:
        entries = send_many_entries(recipient)
        super().__init__(address, SEND_MANY, token, [entries.take(1) for _ in range(messages)])


class StreamEchoSender(_StreamSender):
    """The floor of a bidirectional stream: a plain gRPC server that sends everything back."""

    def __init__(self, address: str, _token: bytes, _recipient: str, messages: int) -> None:
        super().__init__(address, ECHO, None, [_ECHOED] * messages)


class SocketEchoSender:
    """The floor of a socket: a thread that sends everything back."""

    def __init__(self, address: str, _token: bytes, _recipient: str, _messages: int) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self) -> None:
        self._socket.sendall(_ECHOED)

    def receive(self) -> int:
        self._received += len(self._socket.recv(4_096))
        whole, self._received = divmod(self._received, len(_ECHOED))
        return whole


def send_many_entries(recipient: str) -> Sends:
    """Return the entries of SendManyRequests. The messages are the one field of such a request, repeated."""
    message_id = new_message_id()
    message = pb.SendRequest(recipient=recipient, message_id=message_id, text=unary_load.TEXT)
    return Sends(pb.SendManyRequest(messages=[message]).SerializeToString(), message_id)
