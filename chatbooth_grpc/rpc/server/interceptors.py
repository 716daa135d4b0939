"""Interceptors that give each call its token and deadline, answer errors, and log.

gRPC runs `intercept_service` on the one thread that serves all connections. So it only looks up a handler, which was
wrapped once for each method. All slow work happens inside the wrapped behaviour, on the call's own thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, NoReturn, TypeAlias

import grpc

from chatbooth_grpc.booth.actions import ACTIONS, WITHOUT_SESSION, action_name
from chatbooth_grpc.booth.call_log import Call, begin_call, log_defect
from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    Internal,
    MalformedRequest,
    SessionInvalid,
    TooBusy,
)
from chatbooth_grpc.booth.observing import GRPC, Observer
from chatbooth_grpc.booth.rules import token_from_hex
from chatbooth_grpc.rpc.actions import METHODS, SEND_MANY_METHOD
from chatbooth_grpc.rpc.errors import to_status
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.marks import ANSWERS_LATER, admitted_by, copy_marks, ended_by, placed_on
from chatbooth_grpc.rpc.server.reply import Reply, header_of, peer_text, set_status

Behaviour = Callable[..., Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

current_token: ContextVar[bytes] = ContextVar("current_token")
"""The 16 bytes of the token that came with the current call, if its action needs one."""

Admit = Callable[[grpc.ServicerContext], Callable[[], object]]
"""Admits a call, and returns a function that gives its place back. Raises TooBusy. Never blocks."""

UNREADABLE = object()
"""Stands in place of a request that could not be decoded."""

_AUTHORIZATION = "authorization"
_SCHEME = "bearer"
_FOREVER = float("inf")


class CallInterceptor(grpc.ServerInterceptor):
    """Wraps each of chatbooth's methods, and leaves those of other services as they are.

    It reads the session's token from the call's metadata, sets the call's deadline, and answers every error with its
    status and details. It wraps the handler of each method once.
    """

    def __init__(
        self, admit: Callable[[int, bytes], None], check_request: Callable[[], None], observer: Observer | None = None
    ) -> None:
        """`admit` raises an error if the session of a token may not get the large answer of an action.

        `check_request` raises an error if the client of the current call makes too many requests.
        """
        self._admit = admit
        self._check_request = check_request
        self._observer = observer
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
            handler = self._wrapped[method] = self._wrap(handler, method)
        return handler

    def _wrap(self, handler: Handler, method: str) -> Handler:
        action = METHODS[method]
        behaviour = _behaviour(handler)
        if getattr(behaviour, ANSWERS_LATER, False):
            # The messages of a stream are observed batch by batch, and not with the stream's own call.
            observer = None if method == SEND_MANY_METHOD else self._observer
            wrapped = _answering_later(behaviour, action, self._check_request, observer)
        else:
            admit = partial(self._admit, action) if ACTIONS[action].large_answers else None
            wrapped = _answering(behaviour, action, admit, self._check_request, self._observer)
        ended_by(partial(_set_early_end, action_name(action), self._observer), wrapped)
        deserializer = handler.request_deserializer
        return _rebuilt(handler, wrapped, _lenient(deserializer) if deserializer else None)


def _answering(
    behaviour: Behaviour,
    action: int,
    admit: Callable[[bytes], None] | None,
    check_request: Callable[[], None],
    observer: Observer | None,
) -> Behaviour:
    """Wrap a behaviour that answers on the call's own thread."""
    name, needs_token = action_name(action), action not in WITHOUT_SESSION

    def answer(request: Any, context: grpc.ServicerContext, *send_response: Any) -> Any:
        with _answered(context, name, observer):
            check_request()
            if request is UNREADABLE:
                raise MalformedRequest
            # A call that waited past its deadline does nothing.
            time_remaining(_FOREVER)
            if needs_token:
                current_token.set(bearer_token(context))
            if admit is not None:
                admit(current_token.get())
            return behaviour(request, context, *send_response)

    return answer


def _answering_later(
    behaviour: Behaviour, action: int, check_request: Callable[[], None], observer: Observer | None
) -> Behaviour:
    """Wrap a behaviour that answers later. It gets a `Reply` as its third argument.

    The behaviour itself counts the requests that have a token.
    """
    name = action_name(action)

    def counted_token(request: Any, context: grpc.ServicerContext) -> bytes:
        try:
            if request is UNREADABLE:
                raise MalformedRequest
            return bearer_token(context)
        except ChatboothError:
            check_request()
            raise

    def answer(request: Any, context: grpc.ServicerContext, respond: Callable[[Any], None]) -> None:
        reply = Reply(name, context, respond, observer)
        try:
            begin_call(reply.call, context.time_remaining())
            current_token.set(counted_token(request, context))
            behaviour(request, context, reply)
        except ChatboothError as error:
            reply.refuse(error)
        except Exception:  # noqa: BLE001  # a bug must answer too
            log_defect(reply.call)
            reply.refuse(Internal())

    return answer


# As for `calling`, a function with @contextmanager would take longer, and every call needs it.
class _answered:  # noqa: N801  # it reads as a function
    """Log the call. If the block raises an error, end the call with that error's status."""

    __slots__ = ("_call", "_context")

    def __init__(self, context: grpc.ServicerContext, action: str, observer: Observer | None) -> None:
        self._context = context
        self._call = _call(action, context, observer)

    def __enter__(self) -> None:
        begin_call(self._call, self._context.time_remaining())

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, Exception):
            self._call.end()
            return
        if not isinstance(error, ChatboothError):
            log_defect(self._call)
            error = Internal()
        self._call.end(error)
        _abort(self._context, error, self._call.request_id)


class BulkheadInterceptor(grpc.ServerInterceptor):
    """Runs each slow method on its own pool, and refuses its calls while that pool is full. It must be outermost."""

    def __init__(
        self, pools: Mapping[str, CountedPool], admits: Mapping[str, Admit], observer: Observer | None = None
    ) -> None:
        """`pools` maps the path of each slow method to its pool.

        `admits` maps the paths of those whose calls are admitted by their clients' shares.
        """
        self._pools = pools
        self._admits = admits
        self._observer = observer
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
            # Every method gets a stream's handler here, because that does not wait for a request.
            refusing = _refusing(TooBusy(bulkhead.limit), method, self._observer)
            return grpc.stream_stream_rpc_method_handler(refusing)
        if method not in self._placed:
            handler = continuation(handler_call_details)
            if handler is None:
                return None
            placed = self._placed[method] = _placed(handler, pool)
            admit = self._admits.get(method)
            if admit is not None:
                admitted_by(partial(self._admitted, method, admit), _behaviour(placed))
        return self._placed[method]

    def _admitted(self, method: str, admit: Admit, context: grpc.ServicerContext) -> Callable[[], object] | None:
        """Admit a call, and return a function that gives its place back. None: the call was refused."""
        try:
            return admit(context)
        except ChatboothError as error:
            call = _named_call(method, context, self._observer)
            call.end(error)
            set_status(context, error, call.request_id)
            return None


def _kind(handler: Handler) -> str:
    requests = "stream" if handler.request_streaming else "unary"
    return f"{requests}_{'stream' if handler.response_streaming else 'unary'}"


def _behaviour(handler: Handler) -> Behaviour:
    behaviour: Behaviour = getattr(handler, _kind(handler))
    return behaviour


def _placed(handler: Handler, pool: CountedPool) -> Handler:
    """Return the handler with the mark that makes gRPC run it on `pool`."""
    behaviour = _behaviour(handler)

    def answer(*arguments: Any) -> Any:
        return behaviour(*arguments)

    placed = _rebuilt(handler, answer, handler.request_deserializer)
    placed_on(pool, answer)
    return placed


def _refusing(error: ChatboothError, method: str, observer: Observer | None) -> Behaviour:
    def answer(_request: Any, context: grpc.ServicerContext) -> NoReturn:
        call = _named_call(method, context, observer)
        call.end(error)
        _abort(context, error, call.request_id)

    return answer


def _set_early_end(
    action: str, observer: Observer | None, context: grpc.ServicerContext, error: ChatboothError
) -> None:
    """Log a call that ends before its request comes, and set its status."""
    call = _call(action, context, observer)
    call.end(error)
    set_status(context, error, call.request_id)


def _abort(context: grpc.ServicerContext, error: ChatboothError, request_id: str) -> NoReturn:
    context.abort_with_status(to_status(error, request_id))


def _call(action: str, context: grpc.ServicerContext, observer: Observer | None) -> Call:
    """Return the call that is answered in a context."""
    return Call(action, partial(peer_text, context), GRPC, observer, header=partial(header_of, context))


def _named_call(method: str, context: grpc.ServicerContext, observer: Observer | None) -> Call:
    """Return the call of a method that may be another service's."""
    action = METHODS.get(method)
    if action is None:
        # The observer counts the calls of chatbooth's own service alone.
        return _call(method.rpartition("/")[2], context, None)
    return _call(action_name(action), context, observer)


def _rebuilt(handler: Handler, behaviour: Behaviour, deserializer: Callable[[bytes], Any] | None) -> Handler:
    """Return the handler with another behaviour, to which the marks of the first behaviour are copied."""
    copy_marks(_behaviour(handler), behaviour)
    build = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
    rebuilt: Handler = build(
        behaviour, request_deserializer=deserializer, response_serializer=handler.response_serializer
    )
    return rebuilt


def _lenient(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a deserializer that returns UNREADABLE for bytes that it cannot decode.

    If it raised an error instead, gRPC would answer INTERNAL with a text that is not chatbooth's.
    """

    def read(data: bytes) -> Any:
        try:
            return deserializer(data)
        except Exception:  # noqa: BLE001  # protobuf raises errors of several types
            return UNREADABLE

    return read


def bearer_token(context: grpc.ServicerContext) -> bytes:
    """Return the token in the call's metadata. Raises SessionInvalid, which says how the metadata is wrong."""
    problem = "MISSING"
    for key, value in context.invocation_metadata():
        if key == _AUTHORIZATION and isinstance(value, str):
            scheme, _, digits = value.strip().partition(" ")
            if scheme.lower() == _SCHEME:
                return token_from_hex(digits.strip())
            problem = "NOT_BEARER"
    raise SessionInvalid(problem)
