"""The code around every call: the serving thread stays free, deadlines, bugs, bulkheads."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.errors import DeadlineExceeded
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from chatbooth_grpc.rpc.server.interceptors import CallInterceptor
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.spies import Argon2Spy, Gate
from tests.rpc.conftest import Start
from tests.rpc.other_address import from_address
from tests.rpc.running import PATIENCE, Refusal, Running, bearer, refusal
from tests.waiting import wait_until

LOG_IN = pb.LogInRequest(username="ann", password=PASSWORD)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that holds nobody after the test."""
    gate = Gate()
    yield gate
    gate.open()


def held_at(gate: Gate, method: str) -> Callable[[str], None]:
    """Return a function for `store.before` that holds each caller of a method."""
    return lambda called: gate.hold() if called == method else None


def futures(call: Callable[..., grpc.Future], number: int, *arguments: Any, **options: Any) -> list[grpc.Future]:
    """Begin calls that may take as long as they like."""
    return [call(*arguments, timeout=PATIENCE, **options) for _ in range(number)]


# The serving thread


def test_a_token_is_looked_up_on_the_calls_own_thread(start: Start, gate: Gate) -> None:
    """A look-up that blocks holds its own call, and nobody else's."""
    running = start("--threads", "4")
    ann = running.sign_up("ann")
    running.store.before = held_at(gate, "session")
    held = futures(running.stub.Deliver.future, 3, pb.DeliverRequest(), metadata=bearer(ann))
    gate.wait_until_reached()
    assert refusal(running.stub.Deliver, pb.DeliverRequest(), timeout=PATIENCE).reason == "SESSION_INVALID"
    assert running.log_in("ann").account_id == ann.account_id
    gate.open()
    assert [call.result(timeout=PATIENCE).more for call in held] == [False] * 3


def test_wrapping_leaves_other_services_alone(running: Running) -> None:
    method: Callable[..., bytes] = running.channel.unary_unary("/grpc.health.v1.Health/Check")
    assert method(b"", timeout=PATIENCE) == b"\x08\x01"
    refused = refusal(running.channel.unary_unary(f"/{SERVICE_NAME}/Nothing"), b"", timeout=PATIENCE)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "")


# Tokens


def metadata_of(value: str) -> tuple[tuple[str, str], ...]:
    """An authorization header."""
    return (("authorization", value),)


DIGITS = bytes(range(0xF0, 0x100)).hex()


@pytest.mark.parametrize(
    ("metadata", "problem", "words"),
    [
        ((), "MISSING", "no session token"),
        ((("token", DIGITS),), "MISSING", "no session token"),
        (metadata_of("Bearer"), "MISSING", "no session token"),
        (metadata_of(f"Bearer {'0' * 32}"), "MISSING", "no session token"),
        (metadata_of(DIGITS), "NOT_BEARER", "'Bearer '"),
        (metadata_of(f"Basic {DIGITS}"), "NOT_BEARER", "'Bearer '"),
        (metadata_of(f"Bearer {DIGITS}ff"), "WRONG_SIZE", "wrong size"),
        (metadata_of(f"Bearer {DIGITS[1:]}x"), "NOT_HEX", "not hex digits"),
        (metadata_of("Bearer 8PHy8/T19vf4+fr7/P3+/w=="), "BASE64", "base64"),
        (metadata_of(f"Bearer {DIGITS}"), "", "has ended"),
        ((*metadata_of(f"Basic {DIGITS}"), *metadata_of(f"bearer  {DIGITS} ")), "", "has ended"),
    ],
)
def test_a_refusal_says_which_fault_a_token_has(
    running: Running, metadata: tuple[tuple[str, str], ...], problem: str, words: str
) -> None:
    stub = running.stub
    calls: list[tuple[Callable[..., object], Any]] = [
        (stub.LogOut, pb.LogOutRequest()),
        (stub.ChangePassword, pb.ChangePasswordRequest()),
        (stub.Delete, pb.DeleteRequest()),
        (stub.List, pb.ListRequest()),
        (stub.Send, pb.SendRequest()),
        (stub.Deliver, pb.DeliverRequest()),
        (stub.Acknowledge, pb.AcknowledgeRequest()),
        (lambda request, **options: next(stub.Listen(request, **options)), pb.ListenRequest()),
        (lambda requests, **options: next(stub.SendMany(iter(requests), **options)), [pb.SendManyRequest()]),
    ]
    for call, request in calls:
        refused = refusal(call, request, metadata=metadata, timeout=PATIENCE)
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_INVALID")
        assert refused.attributes == ({"problem": problem} if problem else {})
        assert words in refused.words
        assert DIGITS not in refused.words


# Bulkheads


def test_log_ins_do_not_delay_sends(start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start("--threads", "4")
    ann = running.sign_up("ann")
    Argon2Spy(monkeypatch).during = gate.hold
    log_ins = futures(running.stub.LogIn.future, 40, LOG_IN)
    gate.wait_until_reached()
    for text in "12345":
        running.send(ann, "ann", text)
    running.stub.List(pb.ListRequest(), metadata=bearer(ann), timeout=PATIENCE)
    assert not any(call.done() for call in log_ins)
    gate.open()
    assert {call.result(timeout=PATIENCE).session.account_id for call in log_ins} == {ann.account_id}


def test_lists_delay_neither_sends_nor_log_ins(start: Start, gate: Gate) -> None:
    running = start("--threads", "4", "--max-lists-per-account", "40")
    ann = running.sign_up("ann")
    running.store.before = held_at(gate, "usernames")
    lists = futures(running.stub.List.future, 40, pb.ListRequest(), metadata=bearer(ann))
    gate.wait_until_reached()
    running.send(ann, "ann", "on time")
    running.log_in("ann")
    assert not any(call.done() for call in lists)
    gate.open()
    assert [[*call.result(timeout=PATIENCE).usernames] for call in lists] == [["ann"]] * 40


@pytest.mark.parametrize(
    ("limit", "capacity"), [("log-ins at once", 128), ("lists at once", 64)], ids=["passwords", "lists"]
)
def test_a_full_bulkhead_refuses_at_once_and_says_when_to_come_back(
    start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch, limit: str, capacity: int
) -> None:
    running = start("--max-lists-per-account", "1000")
    ann = running.sign_up("ann")
    # A connection carries fewer calls than a bulkhead holds, so several hold them.
    channels = [grpc.insecure_channel(running.address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(4)]
    stubs = [pb_grpc.ChatServiceStub(channel) for channel in channels]
    if limit == "log-ins at once":
        Argon2Spy(monkeypatch).during = gate.hold
        calls = [call for stub in stubs for call in futures(stub.LogIn.future, capacity // 2, LOG_IN)]
    else:
        running.store.before = held_at(gate, "usernames")
        held = {"metadata": bearer(ann)}
        calls = [call for stub in stubs for call in futures(stub.List.future, capacity // 2, pb.ListRequest(), **held)]
    refused = Refusal(first_failure(calls))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_BUSY")
    assert limit in refused.words
    assert refused.retry_after == 1.0
    running.send(ann, "ann", "on time")
    gate.open()
    outcomes = [call.exception(timeout=PATIENCE) for call in calls]
    assert outcomes.count(None) >= capacity
    assert {Refusal(outcome).reason for outcome in outcomes if isinstance(outcome, grpc.RpcError)} == {"TOO_BUSY"}
    for channel in channels:
        channel.close()


def first_failure(calls: list[grpc.Future]) -> grpc.RpcError:
    """Wait for the first of the calls to end, which must be by a failure."""
    ended = threading.Event()
    for call in calls:
        call.add_done_callback(lambda _: ended.set())
    assert ended.wait(PATIENCE)
    failure = next(call for call in calls if call.done()).exception()
    assert isinstance(failure, grpc.RpcError)
    return failure


# Deadlines


def test_a_call_that_waited_past_its_deadline_stores_nothing(start: Start, gate: Gate) -> None:
    running = start()
    ann = running.sign_up("ann")
    running.store.before = held_at(gate, "append")
    first = pb.SendRequest(recipient="ann", message_id=b"f" * 16, text="first")
    holding = futures(running.stub.Send.future, 1, first, metadata=bearer(ann))
    gate.wait_until_reached()
    late = pb.SendRequest(recipient="ann", message_id=b"l" * 16, text="too late")
    refused = refusal(running.stub.Send, late, metadata=bearer(ann), timeout=0.2)
    assert refused.code is grpc.StatusCode.DEADLINE_EXCEEDED
    gate.open()
    holding[0].result(timeout=PATIENCE)
    # When this is stored, the writer has already handled the late one.
    running.send(ann, "ann", "after it")
    assert running.texts(ann) == ["first", "after it"]


class Context:
    """As much of gRPC's context as an error interceptor uses. `remaining` seconds are left for the call."""

    def __init__(self, remaining: float | None) -> None:
        self._remaining = remaining
        self.status: Any = None

    def time_remaining(self) -> float | None:
        return self._remaining

    def peer(self) -> str:
        return "ipv4:127.0.0.1:5000"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def abort_with_status(self, status: Any) -> None:
        self.status = status
        raise Exception("aborted")  # noqa: TRY002  # as gRPC does


def wrapped(behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A behaviour within the interceptor, as one of the service's methods."""
    handler: Any = grpc.unary_unary_rpc_method_handler(behaviour, request_deserializer=lambda data: data)

    class Details(grpc.HandlerCallDetails):
        method = f"/{SERVICE_NAME}/LogIn"
        invocation_metadata = ()

    outer = CallInterceptor(admit=lambda _action, _token: None, check_request=lambda: None).intercept_service(
        lambda _: handler, Details()
    )
    assert outer is not None
    assert outer.unary_unary is not None
    inner: Callable[[Any, Any], Any] = outer.unary_unary
    # gRPC runs each call in its own context.
    return lambda request, context: contextvars.Context().run(inner, request, context)


@pytest.mark.parametrize("remaining", [0.0, -1.0])
def test_a_call_whose_deadline_has_passed_is_not_begun(remaining: float) -> None:
    context = Context(remaining)
    with pytest.raises(Exception, match="aborted"):
        wrapped(lambda _request, _context: pytest.fail("it was begun"))(b"", context)
    assert context.status.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert context.status.details == str(DeadlineExceeded())


@pytest.mark.parametrize("remaining", [None, 60.0])
def test_a_call_with_time_left_is_answered(remaining: float | None) -> None:
    assert wrapped(lambda request, _context: request + b"!")(b"hi", Context(remaining)) == b"hi!"


def test_a_wait_for_a_turn_ends_at_the_calls_deadline(
    start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start()
    running.sign_up("ann")
    Argon2Spy(monkeypatch).during = gate.hold
    held = futures(running.stub.LogIn.future, 8, LOG_IN)
    gate.wait_until_reached()
    assert refusal(running.stub.LogIn, LOG_IN, timeout=0.2).code is grpc.StatusCode.DEADLINE_EXCEEDED
    gate.open()
    assert all(call.exception(timeout=PATIENCE) is None for call in held)


# Defects


@pytest.mark.parametrize("method", ["session", "append"])
def test_a_bug_is_logged_and_answered_as_internal(
    running: Running, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    ann = running.sign_up("ann")
    running.send(ann, "ann", "before")

    def fail(called: str) -> None:
        if called == method:
            raise ZeroDivisionError("made for this test")

    running.store.before = fail
    # A text of this size is handled by a thread, which asks the store for the session.
    text = "x" * (64 << 10)
    request = pb.SendRequest(recipient="ann", message_id=b"i" * 16, text=text)
    refused = refusal(running.stub.Send, request, metadata=bearer(ann), timeout=PATIENCE)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "ZeroDivision" not in refused.words
    assert "made for" not in refused.words
    [logged] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert logged.exc_info is not None
    assert logged.exc_info[0] is ZeroDivisionError
    running.store.before = lambda _: None
    # The server still answers calls.
    assert running.texts(ann) == ["before"]


def test_calls_are_logged_with_their_outcome(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "chatbooth_grpc.booth.call_log")
    ann = running.sign_up("ann")
    refusal(running.send, ann, "nobody", "hi")
    calls = [vars(record) for record in caplog.records if record.message == "call"]
    assert [(call["action"], call["outcome"]) for call in calls] == [
        ("SIGN_UP", "OK"),
        ("SEND", "RECIPIENT_NOT_FOUND"),
    ]
    assert all(call["milliseconds"] >= 0 for call in calls)


def test_a_message_without_a_session_counts_as_a_request(start: Start) -> None:
    running = start("--trusted-addresses", "none", "--requests-per-address", "2/h")
    reasons = [refusal(running.stub.Send, pb.SendRequest(), timeout=PATIENCE).reason for _ in range(3)]
    assert reasons == ["SESSION_INVALID", "SESSION_INVALID", "RATE_LIMITED"]


def test_one_address_leaves_log_ins_for_others(start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start("--trusted-addresses", "none", "--max-log-ins-per-address", "2")
    running.sign_up("ann")
    Argon2Spy(monkeypatch).during = gate.hold
    flood = futures(running.stub.LogIn.future, 20, LOG_IN)
    refused = Refusal(first_failure(flood))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_BUSY")
    assert (refused.attributes["limit"], refused.retry_after) == ("2 log-ins at once from one address", 1.0)
    other = [("grpc.use_local_subchannel_pool", 1)]
    with from_address("127.0.0.3", running.address) as address, grpc.insecure_channel(address, other) as channel:
        honest = pb_grpc.ChatServiceStub(channel).LogIn.future(LOG_IN, timeout=PATIENCE)
        wait_until(lambda: sum(call.done() for call in flood) == 18)
        gate.open()
        assert honest.result().session.username == "ann"
    assert sum(call.exception(timeout=PATIENCE) is None for call in flood) == 2
    # Its places are free again.
    assert running.log_in("ann").username == "ann"


def test_one_account_leaves_lists_for_others(start: Start, gate: Gate) -> None:
    running = start("--max-lists-per-account", "3")
    ann, bob = running.sign_up("ann"), running.sign_up("bob")
    # Until its session is cached, the account counts by its token.
    running.deliver(ann)
    running.store.before = held_at(gate, "usernames")
    flood = futures(running.stub.List.future, 20, pb.ListRequest(), metadata=bearer(ann))
    refused = Refusal(first_failure(flood))
    assert (refused.code, refused.attributes["limit"]) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "3 lists at once of one account",
    )
    honest = running.stub.List.future(pb.ListRequest(), metadata=bearer(bob), timeout=PATIENCE)
    wait_until(lambda: sum(call.done() for call in flood) == 17)
    gate.open()
    assert list(honest.result().usernames) == ["ann", "bob"]
    assert running.stub.List(pb.ListRequest(), metadata=bearer(ann), timeout=PATIENCE).usernames
