"""A load that delivers a backlog in batches, acknowledges each, and counts messages."""

from __future__ import annotations

import math
from collections.abc import Callable

from bench.performance.lone_calls import LoneCalls
from bench.performance.outcome import Duration, Outcome, Tally
from bench.performance.raw_wire import WireConnection
from bench.performance.sockets import is_wire
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth import actions
from chatbooth_grpc.wire.encoding import delivering, frames
from chatbooth_grpc.wire.encoding.primitives import EPOCH_SIZE, BodyReader

DELIVER = "/chatbooth.v1.ChatService/Deliver"
MAX_MESSAGES = 1_000
_WARM_UP_CALLS = 20


def deliver_load(address: str, server_pid: int, *, token: bytes, messages: int) -> Outcome:
    """Deliver a mailbox that holds exactly these messages, all unread. Raises RuntimeError if it holds others."""
    deliver = _wire_deliver(address, token) if is_wire(address) else _grpc_deliver(address, token)
    for _ in range(_WARM_UP_CALLS):
        deliver(0)
    tally = Tally(server_pid, Duration(0, math.inf))
    tally.is_over()
    while count := deliver(tally.count):
        tally.count += count
    if tally.count != messages:
        raise RuntimeError(f"{tally.count:,} messages were delivered, {messages:,} were there")
    return tally.finish()


def _wire_deliver(address: str, token: bytes) -> Callable[[int], int]:
    connection = WireConnection(address)

    def deliver(through: int) -> int:
        request = delivering.encode_deliver_request(actions.DeliverRequest(through, max_messages=MAX_MESSAGES))
        reader = BodyReader(connection.ask(frames.encode_request(actions.DELIVER, request, token)))
        reader.fixed(EPOCH_SIZE)
        for _ in ("account id", "resumed after", "replaying"):
            reader.varint()
        if reader.flag():
            raise RuntimeError("messages are missing")
        reader.flag()
        return reader.varint()

    return deliver


def _grpc_deliver(address: str, token: bytes) -> Callable[[int], int]:
    calls = LoneCalls(address, DELIVER, token)

    def deliver(through: int) -> int:
        request = pb.DeliverRequest(acknowledge_through=through, max_messages=MAX_MESSAGES).SerializeToString()
        return len(pb.DeliverResponse.FromString(calls.call(request)).messages)

    return deliver
