"""On an unexpected grpcio, each open call holds a thread, and all limits still hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from tests.rpc.conftest import Start
from tests.rpc.running import PATIENCE, Running, bearer

pytestmark = pytest.mark.parametrize("grpcio", ["another"], indirect=True)


def threads_of(name: str) -> int:
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


def test_each_listener_holds_a_thread(running: Running) -> None:
    ann = running.sign_up("ann")
    streams = [running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann)) for _ in range(30)]
    for stream in streams:
        next(stream)
    assert threads_of("grpc_") >= 30
    running.send(ann, "ann", "to all")
    for stream in streams:
        assert next(stream).batch.messages[0].text == "to all"
        stream.cancel()


def test_a_listener_counts_for_the_limit_of_calls(start: Start) -> None:
    running = start("--max-calls", "16")
    ann = running.sign_up("ann")
    streams = [running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann)) for _ in range(15)]
    for stream in streams:
        next(stream)
    running.send(ann, "ann", "one more call is allowed")
    streams.append(running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann)))
    next(streams[-1])
    with pytest.raises(grpc.RpcError) as refused:
        running.send(ann, "ann", "and no other")
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    for stream in streams:
        stream.cancel()


def test_calls_that_wait_for_their_request_leave_the_pool_to_others(start: Start) -> None:
    running = start("--threads", "1")
    ann = running.sign_up("ann")
    never = threading.Event()

    def nothing() -> Iterator[bytes]:
        never.wait()
        yield from ()

    deliver: Any = running.channel.stream_unary(f"/{SERVICE_NAME}/Deliver")
    half_sent = [deliver.future(nothing()) for _ in range(10)]
    running.send(ann, "ann", "text")
    assert running.texts(ann) == ["text"]
    never.set()
    for call in half_sent:
        assert call.exception(timeout=PATIENCE) is not None
