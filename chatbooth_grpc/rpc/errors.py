"""chatbooth's errors as gRPC statuses with rich details, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from chatbooth_grpc.booth import causes, error_reasons, errors
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.rpc.connection_errors import cause_of

ERROR_DOMAIN = "chatbooth"

Detail = TypeVar("Detail", bound=ProtobufMessage)

STATUS_CODES: dict[type[ChatboothError], int] = {
    errors.InvalidArgument: code_pb2.INVALID_ARGUMENT,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.OutOfRange: code_pb2.OUT_OF_RANGE,
    errors.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    errors.ResourceExhausted: code_pb2.RESOURCE_EXHAUSTED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
    errors.DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    errors.Internal: code_pb2.INTERNAL,
}
"""The canonical code of each branch of the error tree."""

_BRANCHES: dict[int, type[ChatboothError]] = {
    **{code: branch for branch, code in STATUS_CODES.items()},
    # No error of this version has these codes. A newer server's are handled like those of the nearest branch.
    code_pb2.PERMISSION_DENIED: errors.Unauthenticated,
    code_pb2.UNIMPLEMENTED: errors.InvalidArgument,
    code_pb2.ABORTED: errors.Unavailable,
}
"""The branch of an error whose reason this version does not know, by its canonical code."""


def status_code(error: ChatboothError) -> int:
    """Return the canonical code of an error, a number of google.rpc.Code."""
    return next(
        (code for branch, code in STATUS_CODES.items() if isinstance(error, branch)),
        code_pb2.UNKNOWN,
    )


def to_status(error: ChatboothError, request_id: str = "") -> grpc.Status:
    """Encode an error: its code, its words, the details that programs need, and the id of the request if it has one."""
    attributes = error.attributes()
    details: list[ProtobufMessage] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=attributes)
    ]
    if isinstance(error, errors.InvalidArgument):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=str(error), reason=error.reason
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, (errors.ResourceExhausted, errors.Unavailable)):
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1_000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if request_id:
        details.append(error_details_pb2.RequestInfo(request_id=request_id))
    status = status_pb2.Status(code=status_code(error), message=str(error), details=map(_packed, details))
    return rpc_status.to_status(status)


def from_rpc_error(error: grpc.RpcError, server: str) -> ChatboothError:
    """Decode the error of a call to `server`. A failure of the connection itself becomes ServerUnreachable."""
    # Every error that gRPC raises for a call is also the call.
    call = cast(grpc.Call, error)
    words = call.details() or ""
    details = _details(call)
    info = _detail(details, error_details_pb2.ErrorInfo)
    if info is not None and info.domain == ERROR_DOMAIN:
        known = error_reasons.from_reason(info.reason, words, info.metadata, _BRANCHES.get(call.code().value[0]))
        request = _detail(details, error_details_pb2.RequestInfo)
        if request:
            known.request_id = request.request_id
        return known
    code = call.code()
    cause = cause_of(words)
    # A server that stops cancels the calls that are left.
    if cause == causes.SPEAKS_HTTP or code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
    ):
        return errors.ServerUnreachable(server, cause=cause)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.DeadlineExceeded()
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return errors.RequestTooLarge() if "larger than max" in words else errors.TooBusy("calls at once")
    return errors.UnknownError(code.name, f"{server} answered: {words or code.name}")


def _packed(detail: ProtobufMessage) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed


def _details(call: grpc.Call) -> Sequence[Any]:
    """Return the details of a call's status."""
    try:
        status = rpc_status.from_call(call)
    except (ValueError, DecodeError):
        # The parts of the status contradict each other, or are unreadable. So no chatbooth server made it.
        return ()
    return status.details if status else ()


def _detail(details: Sequence[Any], kind: type[Detail]) -> Detail | None:
    """Return the first detail of a kind."""
    for packed in details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None
