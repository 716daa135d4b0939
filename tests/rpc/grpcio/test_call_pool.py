"""Half-sent calls hold none of the pool's threads, and are cancelled after a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from chatbooth_grpc.rpc.grpcio import incomplete_calls
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.spies import Gate
from tests.rpc.conftest import BOTH_GRPCIOS, Start
from tests.rpc.running import PATIENCE, Refusal, Running, bearer, refusal
from tests.waiting import wait_until

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
    running: Running, grpcio: str, never: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incomplete_calls, "REQUEST_LIMIT", 0.1)
    for method in ("SignUp", "Send"):
        failure = half_sent(running, method, never).exception(timeout=PATIENCE)
        assert isinstance(failure, grpc.RpcError)
        # The public API has no way to give such a call another status.
        expected = grpc.StatusCode.DEADLINE_EXCEEDED if grpcio == "as-expected" else grpc.StatusCode.CANCELLED
        assert failure.code() is expected
    assert running.sign_up("ann").username == "ann"


@pytest.mark.parametrize("method", ["Send", "LogIn"])
def test_a_call_that_its_client_gives_up_is_noticed(
    running: Running, grpcio: str, never: threading.Event, method: str
) -> None:
    if grpcio != "as-expected":
        pytest.skip("the public API ends such a call by itself")
    incomplete: Any = running.server._calls._incomplete  # type: ignore[attr-defined]
    gone: list[str] = []
    incomplete.gone = gone.append
    call = half_sent(running, method, never)
    wait_until(lambda: len(incomplete.calls) == 1)
    call.cancel()
    wait_until(lambda: len(gone) == 1)
    # gRPC may have forgotten the address already.
    assert not gone[0] or gone[0].startswith("ipv4:127.0.0.1:")


def test_calls_that_are_given_up_count_as_requests(start: Start, grpcio: str) -> None:
    running = start("--trusted-addresses", "none", "--requests-per-address", "4/h")
    ann = running.sign_up("ann")
    incomplete: Any = running.server._calls._incomplete  # type: ignore[attr-defined]
    for _ in range(3):
        incomplete.gone("ipv4:127.0.0.1:1")
    refused = refusal(running.texts, ann)
    assert (refused.reason, refused.attributes["limit"]) == ("RATE_LIMITED", "4 requests from one address in an hour")
    incomplete.gone("ipv4:127.0.0.1:1")


def test_the_newest_incomplete_calls_of_an_address_are_refused(
    start: Start, grpcio: str, never: threading.Event
) -> None:
    running = start("--trusted-addresses", "none", "--max-incomplete-calls-per-address", "4")
    ann = running.sign_up("ann")
    calls = [half_sent(running, method, never, bearer(ann)) for method in ("Send", "LogIn", "List") for _ in range(10)]
    wait_until(lambda: sum(call.done() for call in calls) == 26)
    failures = [call.exception() for call in calls if call.done()]
    refused = [Refusal(failure) for failure in failures if isinstance(failure, grpc.RpcError)]
    assert len(refused) == 26
    if grpcio == "as-expected":
        assert {refusal.code for refusal in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        limit = "4 calls from one address whose requests have not come"
        assert {(refusal.attributes["limit"], refusal.retry_after) for refusal in refused} == {(limit, 1.0)}
    # Calls that are whole have no such limit.
    for number in range(20):
        running.send(ann, "ann", str(number))
    assert running.texts(ann) == [str(number) for number in range(20)]
    never.set()


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
