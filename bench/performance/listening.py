"""Listeners that count: live streams over either wire, checked for order and repeats."""

from __future__ import annotations

from typing import Protocol

from bench.performance import http2
from bench.performance.headers import CallFailed
from bench.performance.raw_wire import WireConnection, pushed_sequences
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth import actions
from chatbooth_grpc.wire.encoding import frames, pushes
from chatbooth_grpc.wire.encoding.primitives import encode_varint

LISTEN = "/chatbooth.v1.ChatService/Listen"
ACKNOWLEDGE = "/chatbooth.v1.ChatService/Acknowledge"


class Listener(Protocol):
    """A connection with one or more live streams, which are opened together with it."""

    def fileno(self) -> int:
        """Return the socket's descriptor, for a selector."""

    def receive(self) -> list[int]:
        """Wait for bytes. Return the sequences of the messages that came, over all streams."""

    def acknowledge(self, through: int) -> None:
        """Acknowledge for the session, or for the first of several, without waiting for the reply."""


class WireListener:
    """LISTEN over the wire: one stream."""

    def __init__(self, address: str, token: bytes) -> None:
        self._token = token
        self._last = 0
        self._connection = WireConnection(address)
        self._connection.send(frames.encode_request(actions.LISTEN, pushes.encode_listen_request(None), token))
        opened = 0
        while not opened:
            opened = sum(action == actions.MESSAGE for action, _ in self._connection.receive())

    def fileno(self) -> int:
        return self._connection.fileno()

    def receive(self) -> list[int]:
        sequences = [
            sequence
            for action, body in self._connection.receive()
            if action == actions.MESSAGE
            for sequence in pushed_sequences(body)
        ]
        self._last = checked_order(self._last, sequences)
        return sequences

    def acknowledge(self, through: int) -> None:
        self._connection.send(frames.encode_request(actions.ACKNOWLEDGE, encode_varint(through), self._token))


class GrpcListener:
    """Listen over gRPC: one or more streams that share a connection. Each has its own token."""

    def __init__(self, address: str, *tokens: bytes) -> None:
        self._address = address
        self._token = tokens[0]
        self._connection = http2.Http2Connection(address)
        request = pb.ListenRequest().SerializeToString()
        self._parts = {2 * number + 1: b"" for number in range(len(tokens))}
        self._last = dict.fromkeys(self._parts, 0)
        self._next = 2 * len(tokens) + 1
        self._opened = 0
        for stream, token in zip(self._parts, tokens, strict=True):
            call = http2.encode_call(stream, http2.call_headers(address, LISTEN, token), request)
            self._connection.send(call, len(http2.encode_message(request)))
        while self._opened < len(tokens):
            self.receive()

    def fileno(self) -> int:
        return self._connection.fileno()

    def receive(self) -> list[int]:
        found: list[int] = []
        for kind, flags, stream, payload in self._connection.receive():
            if stream not in self._parts:
                # This is the reply to an acknowledgement. Its status has been checked.
                continue
            if flags & http2.END_STREAM:
                raise CallFailed("the server has ended a live stream")
            if kind == http2.DATA:
                events, self._parts[stream] = http2.cut_messages(self._parts[stream] + payload)
                for event in events:
                    sequences = self._sequences(event)
                    self._last[stream] = checked_order(self._last[stream], sequences)
                    found += sequences
        return found

    def acknowledge(self, through: int) -> None:
        request = pb.AcknowledgeRequest(through=through).SerializeToString()
        headers = http2.call_headers(self._address, ACKNOWLEDGE, self._token)
        self._connection.send(http2.encode_call(self._next, headers, request), len(http2.encode_message(request)))
        self._next += 2

    def _sequences(self, data: bytes) -> list[int]:
        event = pb.ListenResponse.FromString(data)
        self._opened += event.HasField("opening")
        return [message.sequence for message in event.batch.messages]


def checked_order(last: int, sequences: list[int]) -> int:
    """Return the last sequence of a stream. Raises RuntimeError if one is missing, repeated or out of order."""
    if sequences and sequences != list(range(last + 1, last + 1 + len(sequences))):
        raise RuntimeError(f"after {last} came {sequences[:3]}")
    return sequences[-1] if sequences else last
