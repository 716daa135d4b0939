"""The pool that calls wait for whole: how full it is, and what half-sent calls cannot do to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from chatbooth_grpc.rpc.grpcio import call_pool
from chatbooth_grpc.rpc.grpcio.call_pool import CallPool
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.spies import Gate
from tests.rpc.conftest import Start
from tests.rpc.running import PATIENCE, Running, bearer


@pytest.fixture
def pool() -> Iterator[CallPool]:
    """Two threads, room for three."""
    with CallPool("test", 2, answers=Unread(), pushes=Unread(), capacity=3) as pool:
        yield pool


def settled(futures: list[Future[Any]]) -> None:
    """Wait until the pool has let go of all that it ran."""
    for future in futures:
        future.exception(timeout=PATIENCE)


def test_a_pool_knows_how_full_it_is(pool: CallPool) -> None:
    gate = Gate()
    futures: list[Future[Any]] = []
    for _ in range(3):
        assert not pool.is_full
        futures.append(pool.submit(gate.hold))
    assert pool.is_full
    futures.append(pool.submit(int, "1"))  # what is submitted all the same is run
    gate.open()
    settled(futures)
    pool.shutdown(wait=True)
    assert not pool.is_full
    assert futures[-1].result() == 1


def test_what_fails_and_what_is_cancelled_makes_room(pool: CallPool) -> None:
    gate = Gate()
    held = [pool.submit(gate.hold) for _ in range(2)]
    waiting = pool.submit(int, "1")
    assert pool.is_full
    assert waiting.cancel()
    assert not pool.is_full
    failing = pool.submit(int, "x")
    assert pool.is_full
    gate.open()
    settled(held)
    assert isinstance(failing.exception(timeout=PATIENCE), ValueError)
    pool.shutdown(wait=True)
    assert not pool.is_full


def test_a_pool_without_a_capacity_is_never_full() -> None:
    with CallPool("test", 1, answers=Unread(), pushes=Unread()) as pool:
        gate = Gate()
        for _ in range(1_000):
            pool.submit(gate.hold)
        assert not pool.is_full
        gate.open()


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What a half-sent call's request waits for."""
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
    monkeypatch.setattr(call_pool, "REQUEST_LIMIT", 0.1)
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
    """The same path, to its good end: headers first, the request when it pleases."""
    gate = Gate()

    def requests() -> Iterator[bytes]:
        gate.hold()
        yield pb.SignUpRequest(username="ann", password=PASSWORD).SerializeToString()

    call: Callable[..., grpc.Future] = running.channel.stream_unary(f"/{SERVICE_NAME}/SignUp").future
    answer = call(requests(), timeout=PATIENCE)
    gate.wait_until_reached()
    gate.open()
    assert pb.SignUpResponse.FromString(answer.result()).session.username == "ann"
