"""What surrounds every call: decoding, the session's token, the deadline, errors and the log of calls.

gRPC runs `intercept_service` on the one thread that serves all connections, so it only looks up a handler that was
wrapped once per method; everything that takes time happens inside the wrapped behaviour, on the call's own thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, TypeAlias
from urllib.parse import unquote

import grpc

from chatbooth_grpc.addresses import address_text
from chatbooth_grpc.booth.actions import ACTIONS, WITHOUT_SESSION, action_name
from chatbooth_grpc.booth.call_log import OK, Call, calling, log_defect
from chatbooth_grpc.booth.deadline import deadline_in, time_remaining
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    Internal,
    MalformedRequest,
    SessionInvalid,
    TooBusy,
)
from chatbooth_grpc.booth.rules import token_from_hex
from chatbooth_grpc.rpc.actions import METHODS
from chatbooth_grpc.rpc.errors import to_status
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.marks import ANSWERS_LATER, copy_marks, placed_on

Behaviour = Callable[..., Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

current_token: ContextVar[bytes] = ContextVar("current_token")
"""The 16 bytes of token that came with the call being answered."""

UNREADABLE = object()
"""Stands for a request that is none."""

_AUTHORIZATION = "authorization"
_SCHEME = "bearer"
_FOREVER = float("inf")


class _MethodInterceptor(grpc.ServerInterceptor):
    """Wraps the handler of each of chatbooth's methods once, and leaves other services' alone."""

    def __init__(self) -> None:
        self._wrapped: dict[str, Handler] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method = handler_call_details.method
        handler = self._wrapped.get(method)
        if handler is None:
            handler = continuation(handler_call_details)
            if handler is None or method not in METHODS:
                return handler
            handler = self._wrapped[method] = self._wrap(handler, METHODS[method])
        return handler

    def _wrap(self, handler: Handler, action: int) -> Handler:
        raise NotImplementedError


class ErrorInterceptor(_MethodInterceptor):
    """Answers every error with its status and details, unreadable requests too, and honours the call's deadline."""

    def _wrap(self, handler: Handler, action: int) -> Handler:
        behaviour = _behaviour(handler)
        if getattr(behaviour, ANSWERS_LATER, False):
            wrapped = _answering_later(behaviour, action)
        else:
            wrapped = _answering(behaviour, action)
        deserializer = handler.request_deserializer
        return _rebuilt(handler, wrapped, _lenient(deserializer) if deserializer else None)


def _answering(behaviour: Behaviour, action: int) -> Behaviour:
    def answer(request: Any, context: grpc.ServicerContext, *send_response: Any) -> Any:
        with _answered(context, action):
            if request is UNREADABLE:
                raise MalformedRequest
            with deadline_in(context.time_remaining()):
                time_remaining(_FOREVER)  # a call that waited past its deadline does nothing
                return behaviour(request, context, *send_response)

    return answer


def _answering_later(behaviour: Behaviour, action: int) -> Behaviour:
    """Give the behaviour, as its third argument, what takes its response or its ChatboothError, once, on any thread."""

    def answer(request: Any, context: grpc.ServicerContext, respond: Callable[[Any], None]) -> None:
        call = _call(action, context)

        def settle(outcome: Any) -> None:
            if isinstance(outcome, ChatboothError):
                call.end(outcome.reason)
                set_status(context, outcome)
                respond(None)
            else:
                call.end(OK)
                respond(outcome)

        if request is UNREADABLE:
            settle(MalformedRequest())
            return
        try:
            with calling(call), deadline_in(context.time_remaining()):
                behaviour(request, context, settle)
        except ChatboothError as error:
            settle(error)
        except Exception:  # noqa: BLE001  # a defect must answer too
            log_defect(call)
            settle(Internal())

    return answer


@contextmanager
def _answered(context: grpc.ServicerContext, action: int) -> Iterator[None]:
    """Let whatever is raised inside end the call with its status, and log the call."""
    call = _call(action, context)
    reason = OK
    try:
        with calling(call):
            yield
    except ChatboothError as error:
        reason = error.reason
        _abort(context, error)
    except Exception:  # noqa: BLE001  # a defect must answer too
        log_defect(call)
        reason = Internal.reason
        _abort(context, Internal())
    finally:
        call.end(reason)


class AuthInterceptor(_MethodInterceptor):
    """Takes the session's token from the call's metadata, for every action that needs one."""

    def __init__(self, admit: Callable[[bytes], None]) -> None:
        """`admit` raises an error if the account of a token's session may get no large answer."""
        super().__init__()
        self._admit = admit

    def _wrap(self, handler: Handler, action: int) -> Handler:
        if action in WITHOUT_SESSION:
            return handler
        behaviour = _behaviour(handler)
        if ACTIONS[action].large_answers:
            behaviour = self._admitting(behaviour)

        def answer(request: Any, context: grpc.ServicerContext, *send_response: Any) -> Any:
            reset = current_token.set(_bearer_token(context))
            try:
                return behaviour(request, context, *send_response)
            finally:
                current_token.reset(reset)

        return _rebuilt(handler, answer, handler.request_deserializer)

    def _admitting(self, behaviour: Behaviour) -> Behaviour:
        def answer(*arguments: Any) -> Any:
            self._admit(current_token.get())
            return behaviour(*arguments)

        return answer


class BulkheadInterceptor(grpc.ServerInterceptor):
    """Runs slow methods on pools of their own, and refuses their calls while those are full. Must be the outermost."""

    def __init__(self, pools: Mapping[str, CountedPool]) -> None:
        """`pools` has each slow method's pool by the method's path."""
        self._pools = pools
        self._placed: dict[str, Handler] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method = handler_call_details.method
        pool = self._pools.get(method)
        if pool is None:
            return continuation(handler_call_details)
        bulkhead = pool.bulkhead
        if bulkhead is not None and bulkhead.is_full:
            # The handler is a stream's, whatever the method. So it does not wait for a request.
            return grpc.stream_stream_rpc_method_handler(_refusing(TooBusy(bulkhead.limit), METHODS.get(method)))
        if method not in self._placed:
            handler = continuation(handler_call_details)
            if handler is None:
                return None
            self._placed[method] = _placed(handler, pool)
        return self._placed[method]


def _kind(handler: Handler) -> str:
    requests = "stream" if handler.request_streaming else "unary"
    return f"{requests}_{'stream' if handler.response_streaming else 'unary'}"


def _behaviour(handler: Handler) -> Behaviour:
    behaviour: Behaviour = getattr(handler, _kind(handler))
    return behaviour


def _placed(handler: Handler, pool: CountedPool) -> Handler:
    """Return the handler with the mark by which gRPC runs it on `pool`."""
    behaviour = _behaviour(handler)

    def answer(*arguments: Any) -> Any:
        return behaviour(*arguments)

    placed = _rebuilt(handler, answer, handler.request_deserializer)
    placed_on(pool, answer)
    return placed


def _refusing(error: ChatboothError, action: int | None) -> Behaviour:
    def answer(_request: Any, context: grpc.ServicerContext) -> NoReturn:
        if action is not None:
            _call(action, context).end(error.reason)
        _abort(context, error)

    return answer


def set_status(context: grpc.ServicerContext, error: ChatboothError) -> None:
    """Have a call end with an error, where nothing may be raised."""
    status = to_status(error)
    context.set_code(status.code)
    context.set_details(status.details)
    context.set_trailing_metadata(status.trailing_metadata)


def _call(action: int, context: grpc.ServicerContext) -> Call:
    return Call(action_name(action), lambda: _peer_text(context.peer()))


def _peer_text(peer: str) -> str:
    """Return gRPC's word for a client's address, such as "ipv6:%5B::1%5D:5000", as `HOST:PORT`."""
    host, _, port = unquote(peer.partition(":")[2]).rpartition(":")
    return address_text(host.strip("[]"), port)


def _abort(context: grpc.ServicerContext, error: ChatboothError) -> NoReturn:
    context.abort_with_status(to_status(error))


def _rebuilt(handler: Handler, behaviour: Behaviour, deserializer: Callable[[bytes], Any] | None) -> Handler:
    """Return the handler around another behaviour, with the marks that the first behaviour bore."""
    copy_marks(_behaviour(handler), behaviour)
    build = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
    rebuilt: Handler = build(
        behaviour, request_deserializer=deserializer, response_serializer=handler.response_serializer
    )
    return rebuilt


def _lenient(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a deserializer that marks what it cannot read, where gRPC would answer INTERNAL in its own words."""

    def read(data: bytes) -> Any:
        try:
            return deserializer(data)
        except Exception:  # noqa: BLE001  # whatever protobuf raises for bytes that are not a message
            return UNREADABLE

    return read


def _bearer_token(context: grpc.ServicerContext) -> bytes:
    """Return the token of the call's metadata. Raises SessionInvalid, which says what is wrong with the metadata."""
    problem = "MISSING"
    for key, value in context.invocation_metadata():
        if key == _AUTHORIZATION and isinstance(value, str):
            scheme, _, digits = value.strip().partition(" ")
            if scheme.lower() == _SCHEME:
                return token_from_hex(digits.strip())
            problem = "NOT_BEARER"
    raise SessionInvalid(problem)
