"""Serves calls by grpcio's public API alone. It is slower: an open call holds a thread.

This takes the place of `PooledCalls` where grpcio's private names are not as `expectations` wants them.

Every handler becomes one that receives a stream of requests. On the network, one request is the same as a stream. So
gRPC begins the behaviour before the request has come, and a call whose request never comes can be cancelled. All calls
begin on threads that are started when they are needed. A call that works on a pool of its own waits there for a thread
of that pool.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias

import grpc

from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.calls import answered_account
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.incomplete_calls import IncompleteCalls
from chatbooth_grpc.rpc.grpcio.marks import ADMITS, ANSWERS_LATER, POOL, WRITES_LATER
from chatbooth_grpc.rpc.grpcio.plain_streams import PlainCall, PlainStream
from chatbooth_grpc.rpc.grpcio.threads_on_demand import ThreadsOnDemand

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
# The stubs of `grpc.ServicerContext` lack `code` and `details`.
Context: TypeAlias = Any


class PlainCalls:
    """How the calls of one server get their threads, as `Calls` describes it."""

    def __init__(self, *, answers: Unread, pushes: Unread, incomplete: IncompleteCalls) -> None:
        self.pools: list[CountedPool] = []
        self._answers = answers
        self._pushes = pushes
        self._incomplete = incomplete

    def pool(self, name: str, threads: int, *, bulkhead: Bulkhead | None = None) -> CountedPool:
        pool = CountedPool(name, threads, bulkhead=bulkhead)
        self.pools.append(pool)
        return pool

    def server(
        self,
        default: CountedPool,
        *,
        interceptors: Sequence[grpc.ServerInterceptor],
        options: Sequence[tuple[str, Any]],
        most: int,
    ) -> grpc.Server:
        # A stream of requests needs a second thread, which waits for the next one.
        threads = ThreadsOnDemand("grpc", default.threads, most=2 * most)
        self.pools.append(threads)
        first = _PlainInterceptor(
            default, threads, answers=self._answers, pushes=self._pushes, incomplete=self._incomplete
        )
        return grpc.server(threads, interceptors=[first, *interceptors], options=options, maximum_concurrent_rpcs=most)

    def end_late(self) -> None:
        self._incomplete.end_late()


class _PlainInterceptor(grpc.ServerInterceptor):
    """Turns every handler into one that gRPC's public API can serve. Must be the outermost interceptor."""

    def __init__(
        self,
        default: CountedPool,
        threads: CountedPool,
        *,
        answers: Unread,
        pushes: Unread,
        incomplete: IncompleteCalls,
    ) -> None:
        self._default = default
        self._threads = threads
        self._answers = answers
        self._pushes = pushes
        self._incomplete = incomplete

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        if handler.response_streaming:
            return self._streaming(handler)
        return self._answering(handler) if handler.unary_unary else handler

    def _answering(self, handler: Handler) -> Handler:
        """Return the handler of a method that has one response."""
        behaviour: Any = handler.unary_unary
        serialize: Any = handler.response_serializer
        answers_later = getattr(behaviour, ANSWERS_LATER, False)
        run = _run_later if answers_later else _run
        pool = getattr(behaviour, POOL, None) or self._default

        def answer(requests: Iterator[Any], context: Context) -> bytes:
            size, account_id = 0, None
            leave: Callable[[], object] = _nothing
            try:
                request = self._first(requests, context)
                leave = _admitted(behaviour, context)
                response, account_id = run(pool, behaviour, request, context)
                message: bytes = serialize(response)
                size = len(message)
            finally:
                leave()
                self._hold(context, size, account_id)
            return message

        return grpc.stream_unary_rpc_method_handler(answer, request_deserializer=handler.request_deserializer)

    def _streaming(self, handler: Handler) -> Handler:
        """Return the handler of a method that streams its responses."""
        behaviour: Any = handler.unary_stream or handler.stream_stream
        if handler.unary_stream:
            write = self._write_later if getattr(behaviour, WRITES_LATER, False) else self._write
        elif getattr(behaviour, ANSWERS_LATER, False):
            write = self._write_and_receive
        else:
            return handler
        pool = getattr(behaviour, POOL, None) or self._default

        def stream(requests: Iterator[Any], context: Context) -> Iterator[bytes]:
            leave: Callable[[], object] = _nothing
            try:
                leave = _admitted(behaviour, context)
                with pool.counted():
                    yield from write(handler, behaviour, requests, context)
            finally:
                leave()
                self._hold(context, 0, None)

        return grpc.stream_stream_rpc_method_handler(stream, request_deserializer=handler.request_deserializer)

    def _write(
        self, handler: Handler, behaviour: Callable[..., Any], requests: Iterator[Any], context: Context
    ) -> Iterator[bytes]:
        """Yield the responses of a generator, and hold each until gRPC has taken it."""
        serialize: Any = handler.response_serializer
        for response in behaviour(self._first(requests, context), context):
            message: bytes = serialize(response)
            held = self._pushes.hold(len(message), (), context.cancel)
            try:
                yield message
            finally:
                self._pushes.release(held)

    def _write_later(
        self, _handler: Handler, behaviour: Callable[..., Any], requests: Iterator[Any], context: Context
    ) -> Iterator[bytes]:
        """Yield the messages that other threads write to the call."""
        request = self._first(requests, context)
        responses = PlainStream(context)
        behaviour(request, context, responses)
        yield from responses.written()

    def _write_and_receive(
        self, handler: Handler, behaviour: Callable[..., Any], requests: Iterator[Any], context: Context
    ) -> Iterator[bytes]:
        """Yield the messages that other threads write to a call. They receive its requests too."""
        responses = PlainStream(context)
        serialize: Any = handler.response_serializer
        call = PlainCall(requests, context, responses, threads=self._threads, serializer=serialize, pushes=self._pushes)
        behaviour(call, context, responses.finish)
        yield from responses.written()

    def _first(self, requests: Iterator[Any], context: Context) -> Any:
        """Wait for a call's request and return it. The call ends if there is none."""
        call = _IncompleteCall(context)
        self._incomplete.add(call)
        try:
            return next(requests)
        except StopIteration:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The call ended before its request.")
        finally:
            self._incomplete.calls.pop(call, None)

    def _hold(self, context: Context, size: int, account_id: int | None) -> None:
        """Hold an answered call until the client has taken the answer, or the call is over."""
        owners: tuple[Hashable, ...] = (context.peer(),) if account_id is None else (context.peer(), account_id)
        held = self._answers.hold(size, owners if size else (), context.cancel)
        release = partial(self._answers.release, held)
        if not context.add_callback(release):
            release()


class _IncompleteCall:
    """A call whose request a thread waits for. The public API has no way to end it with a status meanwhile."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def peer(self) -> str:
        """Return the client's address, as gRPC writes it."""
        peer: str = self._context.peer()
        return peer

    def end(self, error: ChatboothError) -> None:  # noqa: ARG002
        """Cancel the call."""
        self._context.cancel()


def _admitted(behaviour: Callable[..., Any], context: Context) -> Callable[[], object]:
    """Return the function to call when the call is answered. If the call is not admitted, it ends here."""
    admit = getattr(behaviour, ADMITS, None)
    if admit is None:
        return _nothing
    leave: Callable[[], object] | None = admit(context)
    if leave is None:
        context.abort(context.code(), _text(context.details()))
    return leave or _nothing


def _nothing() -> None:
    pass


def _run(pool: CountedPool, behaviour: Callable[..., Any], request: Any, context: Context) -> tuple[Any, int | None]:
    """Run a behaviour on a pool's thread. Return its response, and the account if it noted one."""
    copied = copy_context()
    response = pool.submit(copied.run, behaviour, request, context).result()
    return response, copied.get(answered_account)


def _run_later(
    pool: CountedPool, behaviour: Callable[..., Any], request: Any, context: Context
) -> tuple[Any, int | None]:
    """Run a behaviour that answers later, and wait for its response."""
    answered: Future[Any] = Future()
    with pool.counted():
        behaviour(request, context, answered.set_result)
        response = answered.result()
    if response is None:
        context.abort(context.code(), _text(context.details()))
    return response, answered_account.get()


def _text(details: Any) -> str:
    """Return a status's details as text. grpcio keeps them as bytes."""
    return details.decode() if isinstance(details, bytes) else details or ""
