"""Half-sent calls hold none of the pool's threads, and are cancelled after a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from chatbooth_grpc.rpc.grpcio import late_requests
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.spies import Gate
from tests.rpc.conftest import BOTH_GRPCIOS, Start
from tests.rpc.running import PATIENCE, Running, bearer

pytestmark = BOTH_GRPCIOS


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """An event that is set at the end of the test. The request of a half-sent call waits for it."""
    never = threading.Event()
    yield never
    never.set()


def half_sent(running: Running, method: str, never: threading.Event, metadata: Any = ()) -> grpc.Future:
    """Begin a call and withhold its request."""

    def requests() -> Iterator[bytes]:
        never.wait()
        yield b""

    call: Callable[..., grpc.Future] = running.channel.stream_unary(f"/{SERVICE_NAME}/{method}").future
    return call(requests(), timeout=PATIENCE, metadata=metadata)


def test_half_sent_calls_hold_no_threads(start: Start, never: threading.Event) -> None:
    running = start("--threads", "2")
    ann = running.sign_up("ann")
    calls = [half_sent(running, method, never, bearer(ann)) for method in ("Send", "LogIn", "List") for _ in range(20)]
    running.send(ann, "ann", "on time")
    assert running.log_in("ann").account_id == ann.account_id
    running.stub.List(pb.ListRequest(), metadata=bearer(ann), timeout=PATIENCE)
    assert running.texts(ann) == ["on time"]
    assert not any(call.done() for call in calls)
    for call in calls:
        call.cancel()


def test_a_request_that_does_not_come_is_given_up(
    running: Running, never: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_requests, "REQUEST_LIMIT", 0.1)
    call = half_sent(running, "SignUp", never)
    failure = call.exception(timeout=PATIENCE)
    assert isinstance(failure, grpc.RpcError)
    assert failure.code() is grpc.StatusCode.CANCELLED
    assert running.sign_up("ann").username == "ann"


def test_a_call_that_ends_without_its_request_is_the_callers_fault(running: Running) -> None:
    call: Callable[..., Any] = running.channel.stream_unary(f"/{SERVICE_NAME}/SignUp")
    with pytest.raises(grpc.RpcError) as refused:
        call(iter(()), timeout=PATIENCE)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_request_that_comes_in_pieces_is_answered(running: Running) -> None:
    """The headers come first, and the request some time later."""
    gate = Gate()

    def requests() -> Iterator[bytes]:
        gate.hold()
        yield pb.SignUpRequest(username="ann", password=PASSWORD).SerializeToString()

    call: Callable[..., grpc.Future] = running.channel.stream_unary(f"/{SERVICE_NAME}/SignUp").future
    answer = call(requests(), timeout=PATIENCE)
    gate.wait_until_reached()
    gate.open()
    assert pb.SignUpResponse.FromString(answer.result()).session.username == "ann"
