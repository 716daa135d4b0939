"""Errors through a real call and back, and the errors of calls that gRPC itself fails."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast, get_type_hints

import grpc
import pytest
from google.protobuf.any_pb2 import Any as PackedDetail
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from chatbooth_grpc.booth import error_reasons, errors
from chatbooth_grpc.booth.error_reasons import concrete_errors
from chatbooth_grpc.booth.errors import ChatboothError, UnknownError
from chatbooth_grpc.rpc.errors import ERROR_DOMAIN, STATUS_CODES, from_rpc_error, status_code, to_status

CONCRETE = sorted(concrete_errors(), key=lambda kind: kind.__name__)
BRANCHES = error_reasons.BRANCHES
SERVER = "booth.example:50051"
METHOD = "/tests.Errors/Raise"

Answer = Callable[[grpc.ServicerContext], object]
Raise = Callable[[Answer], grpc.RpcError]


def plain(kind: type[ChatboothError]) -> ChatboothError:
    """Return an error of a class. Its words are in several scripts."""
    examples: dict[type, object] = {str: "Ωmega «ß» 漢", int: 2**63 + 8, float: 2.5}
    types = get_type_hints(kind)
    assert dataclasses.is_dataclass(kind)
    return kind(**{field.name: examples[types[field.name]] for field in dataclasses.fields(kind)})


@pytest.fixture(scope="module")
def raised() -> Iterator[Raise]:
    """Make a real call, which a function of the test answers, and return the error that the caller sees."""
    answers: list[Answer] = []

    def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
        answers.pop()(context)
        return b""

    class Handler(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer) if handler_call_details.method == METHOD else None

    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            method: Callable[..., bytes] = channel.unary_unary(METHOD)

            def call(answer: Answer) -> grpc.RpcError:
                answers.append(answer)
                with pytest.raises(grpc.RpcError) as failure:
                    method(b"", timeout=30)
                return failure.value

            yield call
        server.stop(None).wait()


def test_the_table_is_total() -> None:
    assert set(STATUS_CODES) == set(BRANCHES)
    for kind in CONCRETE:
        assert status_code(plain(kind)) in code_pb2.Code.values(), kind
        assert status_code(plain(kind)) not in (code_pb2.OK, code_pb2.UNKNOWN), kind


def test_an_error_outside_of_the_table_is_unknown() -> None:
    assert status_code(UnknownError("MOON_TOO_FULL", "words")) == code_pb2.UNKNOWN


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.reason)
def test_errors_travel_unchanged(raised: Raise, kind: type[ChatboothError]) -> None:
    error = plain(kind)
    seen = raised(lambda context: context.abort_with_status(to_status(error)))
    assert seen.code().value[0] == status_code(error)
    assert seen.details() == str(error)
    rebuilt = from_rpc_error(seen, SERVER)
    assert type(rebuilt) is kind
    assert (str(rebuilt), vars(rebuilt)) == (str(error), vars(error))


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.reason)
def test_details_hold_the_facts_that_programs_need(raised: Raise, kind: type[ChatboothError]) -> None:
    error = plain(kind)
    seen = raised(lambda context: context.abort_with_status(to_status(error)))
    status = rpc_status.from_call(cast(grpc.Call, seen))
    assert status is not None
    by_name = {packed.TypeName(): packed for packed in status.details}
    info = error_details_pb2.ErrorInfo()
    assert by_name.pop("google.rpc.ErrorInfo").Unpack(info)
    assert (info.domain, info.reason, dict(info.metadata)) == (ERROR_DOMAIN, error.reason, error.attributes())
    if isinstance(error, errors.InvalidArgument):
        bad = error_details_pb2.BadRequest()
        assert by_name.pop("google.rpc.BadRequest").Unpack(bad)
        [violation] = bad.field_violations
        assert (violation.field, violation.description, violation.reason) == (error.field, str(error), error.reason)
    if isinstance(error, (errors.ResourceExhausted, errors.Unavailable)):
        retry = error_details_pb2.RetryInfo()
        assert by_name.pop("google.rpc.RetryInfo").Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() == round(error.retry_after * 1_000)
    assert not by_name


def test_an_error_of_a_newer_server_keeps_its_reason_and_words(raised: Raise) -> None:
    newer = to_status(UnknownError("MOON_TOO_FULL", "The moon is full. Wait a week."))
    error = from_rpc_error(raised(lambda context: context.abort_with_status(newer)), SERVER)
    assert type(error) is UnknownError
    assert (error.reason, str(error)) == ("MOON_TOO_FULL", "The moon is full. Wait a week.")


OTHER_CODES = {
    code_pb2.PERMISSION_DENIED: errors.Unauthenticated,
    code_pb2.UNIMPLEMENTED: errors.InvalidArgument,
    code_pb2.ABORTED: errors.Unavailable,
}


@pytest.mark.parametrize(("branch", "code"), [*STATUS_CODES.items(), *((b, code) for code, b in OTHER_CODES.items())])
def test_an_error_of_a_newer_server_is_handled_by_its_status(
    raised: Raise, branch: type[ChatboothError], code: int
) -> None:
    detail = PackedDetail()
    detail.Pack(error_details_pb2.ErrorInfo(reason="MOON_TOO_FULL", domain=ERROR_DOMAIN, metadata={"retry_after": "7"}))
    status = status_pb2.Status(code=code, message="The moon is full.", details=[detail])
    newer = raised(lambda context: context.abort_with_status(rpc_status.to_status(status)))
    error = from_rpc_error(newer, SERVER)
    assert isinstance(error, branch)
    assert (error.reason, str(error)) == ("MOON_TOO_FULL", "The moon is full.")


@pytest.mark.parametrize(
    ("code", "words", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Connection reset by peer", errors.ServerUnreachable(SERVER)),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", errors.DeadlineExceeded()),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!", errors.TooBusy("calls at once")),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "SERVER: Received message larger than max (9 vs. 8)",
            errors.RequestTooLarge(),
        ),
        (grpc.StatusCode.UNIMPLEMENTED, "no such method", UnknownError("UNIMPLEMENTED", "no such method")),
        (grpc.StatusCode.UNAUTHENTICATED, "by a proxy", UnknownError("UNAUTHENTICATED", "by a proxy")),
        (grpc.StatusCode.PERMISSION_DENIED, "", UnknownError("PERMISSION_DENIED", "PERMISSION_DENIED")),
    ],
)
def test_errors_without_our_details_are_read_by_their_code(
    raised: Raise, code: grpc.StatusCode, words: str, error: ChatboothError
) -> None:
    seen = from_rpc_error(raised(lambda context: context.abort(code, words)), SERVER)
    assert type(seen) is type(error)
    assert (seen.reason, seen.attributes()) == (error.reason, error.attributes())
    assert str(error) in str(seen)


def test_details_of_another_program_are_not_ours(raised: Raise) -> None:
    packed = PackedDetail()
    packed.Pack(error_details_pb2.ErrorInfo(reason="USERNAME_TAKEN", domain="elsewhere.example"))
    foreign = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="go away", details=[packed])
    seen = raised(lambda context: context.abort_with_status(rpc_status.to_status(foreign)))
    assert isinstance(from_rpc_error(seen, SERVER), errors.ServerUnreachable)


@pytest.mark.parametrize(
    "details",
    [
        b"\xff\xff not a status",
        status_pb2.Status(code=code_pb2.NOT_FOUND, message="other words").SerializeToString(),
        b"",
    ],
    ids=["unreadable", "contradicting", "empty"],
)
def test_damaged_details_do_not_hide_the_status(raised: Raise, details: bytes) -> None:
    def answer(context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "words")

    assert isinstance(from_rpc_error(raised(answer), SERVER), errors.DeadlineExceeded)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as closed:  # bound, not listening
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with grpc.insecure_channel(address) as channel:
            method: Callable[..., bytes] = channel.unary_unary(METHOD)
            with pytest.raises(grpc.RpcError) as failure:
                method(b"", timeout=30)
    error = from_rpc_error(failure.value, address)
    assert isinstance(error, errors.ServerUnreachable)
    assert address in str(error)
