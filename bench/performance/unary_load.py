"""A closed loop of unary Sends: each reply lets the next call begin."""

from __future__ import annotations

import selectors
import time
from dataclasses import replace

from bench.performance import http2
from bench.performance.outcome import Duration, Outcome, Tally
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.message_ids import new_message_id

SEND = "/chatbooth.v1.ChatService/Send"
TEXT = "x" * 60


def encode_send(recipient: str) -> bytes:
    """Serialise a SendRequest with a new id."""
    return pb.SendRequest(recipient=recipient, message_id=new_message_id(), text=TEXT).SerializeToString()


class _Lane:
    """One connection, the calls that it has not made yet, and the time at which each call in flight began."""

    def __init__(self, address: str, token: bytes, recipient: str, calls: int) -> None:
        self.connection = http2.Http2Connection(address)
        headers = http2.call_headers(address, SEND, token)
        self._calls = [http2.encode_call(2 * number + 1, headers, encode_send(recipient)) for number in range(calls)]
        self._data_size = len(http2.encode_message(encode_send(recipient)))
        self._began: dict[int, float] = {}
        self.sent = 0

    @property
    def in_flight(self) -> int:
        """How many calls are in flight."""
        return len(self._began)

    @property
    def is_exhausted(self) -> bool:
        """Whether no call is left to make."""
        return self.sent >= len(self._calls)

    def send(self, count: int) -> None:
        """Begin this number of calls, or all that are left."""
        calls = self._calls[self.sent : self.sent + count]
        now = time.perf_counter()
        for number in range(self.sent, self.sent + len(calls)):
            self._began[2 * number + 1] = now
        self.sent += len(calls)
        if calls:
            self.connection.send(b"".join(calls), len(calls) * self._data_size)

    def receive(self) -> list[float]:
        """Wait for replies, and return their latencies."""
        frames = self.connection.receive()
        now = time.perf_counter()
        return [
            now - self._began.pop(stream)
            for kind, flags, stream, _ in frames
            if kind == http2.HEADERS and flags & http2.END_STREAM
        ]


def unary_load(
    address: str,
    server_pid: int,
    duration: Duration,
    *,
    token: bytes,
    recipient: str,
    in_flight: int,
    connections: int,
    calls: int = 30_000,
) -> Outcome:
    """Keep calls in flight for a time, or until one connection has made its share. Check every reply."""
    lanes = [_Lane(address, token, recipient, calls // connections) for _ in range(connections)]
    selector = selectors.DefaultSelector()
    for lane in lanes:
        selector.register(lane.connection, selectors.EVENT_READ, lane)
    tally = Tally(server_pid, duration)
    for number, lane in enumerate(lanes):
        lane.send(in_flight // connections + (number < in_flight % connections))
    while not tally.is_over() and not any(lane.is_exhausted for lane in lanes):
        for key, _ in selector.select():
            latencies = key.data.receive()
            tally.add(latencies)
            key.data.send(len(latencies))
    outcome = tally.finish()
    for lane in lanes:
        while lane.in_flight:
            lane.receive()
    return replace(outcome, sent=sum(lane.sent for lane in lanes))
