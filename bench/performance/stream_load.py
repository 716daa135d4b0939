"""A load of durable sends over one gRPC stream, with several large requests in flight."""

from __future__ import annotations

import math
from dataclasses import replace

from bench.performance import http2
from bench.performance.headers import CallFailed
from bench.performance.outcome import Duration, Outcome, Tally
from bench.performance.raw_wire import read_varint
from bench.performance.senders import SEND_MANY, send_many_entries

_MESSAGES_PER_REQUEST = 64
# In messages. The wire's pipelined load has as many in flight.
_IN_FLIGHT = 4_096
_STREAM = 1
_FIELD_ONE = 0x0A


def stream_load(
    address: str,
    server_pid: int,
    duration: Duration,
    *,
    token: bytes,
    recipient: str,
    most: float = math.inf,
    method: str = SEND_MANY,
) -> Outcome:
    """Keep messages in flight on one stream for a time, or until `most` were sent."""
    entries = send_many_entries(recipient)
    connection = http2.Http2Connection(address)
    connection.open_stream(_STREAM, http2.call_headers(address, method, token))
    tally = Tally(server_pid, duration)
    sent = answered = 0
    reply = b""
    while True:
        while sent < most and sent - answered < _IN_FLIGHT:
            connection.send_message(_STREAM, entries.take(_MESSAGES_PER_REQUEST))
            sent += _MESSAGES_PER_REQUEST
        count, reply = _answers(connection, reply)
        answered += count
        tally.count += count
        if tally.is_over() or sent >= most:
            break
    outcome = tally.finish()
    while answered < sent:
        count, reply = _answers(connection, reply)
        answered += count
    connection.close()
    return replace(outcome, sent=sent)


def _answers(connection: http2.Http2Connection, reply: bytes) -> tuple[int, bytes]:
    """Wait for bytes. Return how many messages they answer, and the response that is not complete yet."""
    for kind, flags, _, payload in connection.receive():
        if flags & http2.END_STREAM:
            raise CallFailed("the server has ended the stream")
        if kind == http2.DATA:
            reply += payload
    responses, reply = http2.cut_messages(reply)
    return sum(count_entries(response) for response in responses), reply


def count_entries(message: bytes) -> int:
    """Count the entries of a protobuf message's field 1, a repeated message, without decoding them."""
    count = position = 0
    while position < len(message):
        if message[position] != _FIELD_ONE:
            raise CallFailed(f"field tag {message[position]:#x} where only field 1 was expected")
        size, position = read_varint(message, position + 1)
        position += size
        count += 1
    return count
